/** For programs: one event a line, as JSON. */
import { UploadError, type UploadEvents, type UploadResult } from '../index.js'
import type { Output, Reporter, UploadEventName } from './reporter.js'

export class JsonReporter implements Reporter {
  readonly #out: Output
  #source = ''
  #url = ''

  constructor(out: Output) {
    this.#out = out
  }

  begin(name: string, url: string): void {
    this.#source = name
    this.#url = url
    this.#write('begin', {})
  }

  event<Name extends UploadEventName>(
    name: Name,
    event: UploadEvents[Name],
  ): void {
    const { retry }: Partial<UploadEvents> = { [name]: event }
    this.#write(
      name,
      retry === undefined
        ? event
        : { ...retry, error: errorFields(retry.error) },
    )
  }

  done(result: UploadResult): void {
    this.#write('result', result)
  }

  skipped(source: string, why: string): void {
    this.#out.write(`${JSON.stringify({ event: 'skipped', source, why })}\n`)
  }

  end(): void {
    // Every line is whole.
  }

  #write(event: string, detail: object): void {
    const line = { event, source: this.#source, url: this.#url, ...detail }
    this.#out.write(`${JSON.stringify(line)}\n`)
  }
}

/** What is known of an error, without its cause and stack. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  if (!(error instanceof UploadError)) return { message: error.message }
  const { code, message, resumable, transient, key, uploadId, partNumber } =
    error
  const { attempts, status, serverCode, requestId, hostId, ec } = error
  return {
    code,
    message,
    resumable,
    transient,
    key,
    uploadId,
    partNumber,
    attempts,
    status,
    serverCode,
    requestId,
    hostId,
    ec,
  }
}
