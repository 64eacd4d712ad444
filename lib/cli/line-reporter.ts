/** For logs and pipes: a plain line every few seconds. */
import type { UploadEvents } from '../index.js'
import { eventText, resultText } from './event-text.js'
import { plainText } from './plain-text.js'
import { ProgressText } from './progress-text.js'
import type {
  Output,
  Reporter,
  UploadEventName,
  UploadReporter,
} from './reporter.js'

/** ms between two lines of figures. */
const interval = 5000

export class LineReporter implements Reporter {
  readonly #out: Output
  readonly #log: Output
  readonly #now: () => number
  #text = new ProgressText()
  #name = ''
  #last = Number.NEGATIVE_INFINITY

  /** Results go to `out`, the rest to `log`. */
  constructor(out: Output, log: Output, now = () => performance.now()) {
    this.#out = out
    this.#log = log
    this.#now = now
  }

  begin(name: string, url: string): UploadReporter {
    this.#name = plainText(name)
    this.#text = new ProgressText()
    this.#last = Number.NEGATIVE_INFINITY
    return {
      event: (event, detail) => this.#event(event, detail),
      done: (result) => void this.#out.write(`${resultText(result, url)}\n`),
    }
  }

  #event<Name extends UploadEventName>(
    name: Name,
    event: UploadEvents[Name],
  ): void {
    const told: Partial<UploadEvents> = { [name]: event }
    if (told.part?.reused === true) this.#text.countReused()
    if (told.restarted !== undefined) this.#text.startOver()
    const line = eventText(name, event)
    if (line !== undefined) this.#write(line)
    if (told.progress === undefined) return
    const now = this.#now()
    const figures = this.#text.line(told.progress, now)
    if (now - this.#last < interval) return
    this.#last = now
    this.#write(figures)
  }

  skipped(name: string, why: string): void {
    this.#log.write(`${plainText(name)}: skipped, ${why}\n`)
  }

  end(): void {
    // Every line is whole.
  }

  #write(line: string): void {
    this.#log.write(`${this.#name}: ${line}\n`)
  }
}
