/** For programs: one event a line, as JSON. */
import { isError } from '../realm.js'
import { UploadError, type UploadEvents } from '../index.js'
import type {
  Output,
  Reporter,
  UploadEventName,
  UploadReporter,
} from './reporter.js'

export class JsonReporter implements Reporter {
  readonly #out: Output

  constructor(out: Output) {
    this.#out = out
  }

  begin(source: string, url: string): UploadReporter {
    const write = (event: string, detail: object): void =>
      this.#write({ event, source, url, ...detail })
    write('begin', {})
    return {
      event: (name, event) => write(name, eventFields(name, event)),
      done: (result) => write('result', result),
    }
  }

  skipped(source: string, why: string): void {
    this.#write({ event: 'skipped', source, why })
  }

  end(): void {
    // Every line is whole.
  }

  #write(line: object): void {
    this.#out.write(`${JSON.stringify(line)}\n`)
  }
}

/** An error in it by its fields. */
export function eventFields<Name extends UploadEventName>(
  name: Name,
  event: UploadEvents[Name],
): object {
  const { retry, left }: Partial<UploadEvents> = { [name]: event }
  const failed = retry ?? left
  if (failed === undefined) return event
  return { ...failed, error: errorFields(failed.error) }
}

/** What is known of an error, without its cause and stack. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!isError(error)) return { message: String(error) }
  if (!(error instanceof UploadError)) return { message: error.message }
  const { code, message, resumable, transient, key, uploadId, partNumber } =
    error
  const { attempts, elapsed, status, serverCode, requestId, hostId, ec } = error
  return {
    code,
    message,
    resumable,
    transient,
    key,
    uploadId,
    partNumber,
    attempts,
    elapsed,
    status,
    serverCode,
    requestId,
    hostId,
    ec,
  }
}
