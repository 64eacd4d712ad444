/** How calls of the store are made and tried again, with every default filled in. */
import type { Environment } from '../../environment.js'
import { oneOf, optional, wholeNumber } from './option-checks.js'
import type { RetryOptions, TimeoutOptions, UploadOptions } from './options.js'

export interface RequestSettings {
  readonly environment: Environment
  readonly retry: Required<RetryOptions>
  readonly timeout: Required<TimeoutOptions>
  readonly requestPayer: 'requester' | undefined
}

/** The options that they are read from. */
export type RequestOptions = Pick<
  UploadOptions,
  'retry' | 'timeout' | 'requestPayer' | 'trafficLimit' | 'partSize'
>

export function readRequestSettings<E extends Environment>(
  options: RequestOptions,
  environment: E,
): RequestSettings & { readonly environment: E } {
  const { retry = {} } = options
  const read = (name: keyof RetryOptions, fallback: number, least: number) =>
    wholeNumber(`retry.${name}`, retry[name] ?? fallback, least)
  return {
    environment,
    retry: {
      attempts: wholeNumber('retry.attempts', retry.attempts ?? 5, 1, 1000),
      baseDelay: read('baseDelay', 200, 0),
      maxDelay: read('maxDelay', 20_000, 0),
    },
    timeout: readTimeout(options),
    requestPayer: optional(options.requestPayer, (value) =>
      oneOf('requestPayer', value, ['requester']),
    ),
  }
}

function readTimeout({
  timeout = {},
  trafficLimit,
  partSize,
}: RequestOptions): Required<TimeoutOptions> {
  const read = (name: keyof TimeoutOptions, fallback: number) =>
    wholeNumber(`timeout.${name}`, timeout[name] ?? fallback, 1)
  // A server that holds the body back may take the time that the limit gives.
  const slow =
    trafficLimit === undefined
      ? 0
      : Math.ceil((((partSize ?? 8 * 1024 * 1024) * 8) / trafficLimit) * 1000)
  return {
    connect: read('connect', 10_000),
    stall: read('stall', 60_000) + slow,
    headers: read('headers', 120_000) + slow,
    complete: read('complete', 600_000),
  }
}
