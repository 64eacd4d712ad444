/** What goes over the wire, seen and spoiled on this side of it. */
import type { Readable } from 'node:stream'
import type { Test } from 'tap'
import { Agent, type Dispatcher } from 'undici'

export interface WireRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/**
 * What happens to one request.
 *
 * - `damage`: a bit of its body flips
 * - `lose`: the answer arrives, and is lost
 * - `keep`: the answer arrives, and is never handed on
 */
export type Spoiling = 'damage' | 'lose' | 'keep' | undefined

export interface Wire {
  readonly dispatcher: Dispatcher
  readonly requests: readonly WireRequest[]
  /** Requests for parts. */
  parts(): WireRequest[]
  /** Resolves when the answer to a request has been kept. */
  readonly kept: Promise<void>
  /** Asked once for each request. */
  spoil(how: (request: WireRequest) => Spoiling): void
}

/** Gone with the test. */
export function watchedWire(t: Test): Wire {
  const requests: WireRequest[] = []
  let spoil: (request: WireRequest) => Spoiling = () => undefined
  let onKept = (): void => undefined
  const kept = new Promise<void>((resolve) => (onKept = resolve))
  const agent = new Agent({
    connections: 16,
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  t.teardown(() => agent.destroy())
  const dispatcher = agent.compose((dispatch) => (options, handler) => {
    const request: WireRequest = {
      method: options.method,
      path: options.path,
      headers: options.headers as Record<string, string>,
    }
    requests.push(request)
    switch (spoil(request)) {
      case 'damage': {
        const body = damaged(options.body as unknown as Body)
        return dispatch({ ...options, body: body as Readable }, handler)
      }
      case 'lose':
        return dispatch(
          options,
          withoutAnswer(handler, (controller) =>
            handler.onResponseError?.(
              controller,
              Object.assign(new Error('the answer was lost'), {
                code: 'ECONNRESET',
              }),
            ),
          ),
        )
      case 'keep':
        return dispatch(options, withoutAnswer(handler, onKept))
      case undefined:
      default:
        return dispatch(options, handler)
    }
  })
  return {
    dispatcher,
    requests,
    kept,
    parts: () => requests.filter(isPart),
    spoil: (how) => (spoil = how),
  }
}

export function isPart({ method, path }: WireRequest): boolean {
  return method === 'PUT' && /[?&]partNumber=/.test(path)
}

export function isComplete({ method, path }: WireRequest): boolean {
  return method === 'POST' && /[?&]uploadId=/.test(path)
}

type Body = AsyncIterable<Uint8Array>

function damaged(body: Body): unknown {
  return (async function* () {
    let isFirst = true
    for await (const chunk of body) {
      const copy = Buffer.from(chunk)
      if (isFirst) copy[0] = (copy[0] ?? 0) ^ 1
      isFirst = false
      yield copy
    }
  })()
}

/** The handler hears nothing of the answer; `then` says what comes instead. */
function withoutAnswer(
  handler: Dispatcher.DispatchHandler,
  instead: (controller: Dispatcher.DispatchController) => void,
): Dispatcher.DispatchHandler {
  return {
    onRequestStart: (controller, context) =>
      handler.onRequestStart?.(controller, context),
    onResponseStart: () => undefined,
    onResponseData: () => undefined,
    onResponseEnd: instead,
    onResponseError: (controller, error) =>
      handler.onResponseError?.(controller, error),
  }
}
