/** For terminals: a bar with bytes done, rate, time left and parts reused. */
import { SingleBar } from 'cli-progress'
import type { Progress, UploadEvents, UploadResult } from '../index.js'
import { barLine, type BarFigures } from './bar-line.js'
import { eventText, resultText } from './event-text.js'
import { plainText } from './plain-text.js'
import { ProgressText } from './progress-text.js'
import type {
  Output,
  Reporter,
  UploadEventName,
  UploadReporter,
} from './reporter.js'

/** Characters of the longest name that is shown whole. */
const nameWidth = 24

export class BarReporter implements Reporter {
  readonly #out: Output
  readonly #screen: NodeJS.WriteStream
  readonly #now: () => number
  #text = new ProgressText()
  #bar: SingleBar | undefined
  #name = ''
  #latest: Progress | undefined
  #figures: BarFigures | undefined

  /** The bar goes to `screen`, results to `out`. */
  constructor(
    out: Output,
    screen: NodeJS.WriteStream,
    now = () => performance.now(),
  ) {
    this.#out = out
    this.#screen = screen
    this.#now = now
  }

  begin(name: string, url: string): UploadReporter {
    this.#name = shortened(plainText(name))
    this.#text = new ProgressText()
    this.#latest = undefined
    return {
      event: (event, detail) => this.#event(event, detail),
      done: (result) => this.#done(result, url),
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
    if (line !== undefined) {
      this.#stop()
      this.#screen.write(`${this.#name}: ${line}\n`)
    }
    if (told.progress !== undefined) this.#show(told.progress)
    else if (line !== undefined && this.#latest) this.#show(this.#latest)
  }

  #done(result: UploadResult, url: string): void {
    this.#stop()
    this.#out.write(`${resultText(result, url)}\n`)
  }

  skipped(name: string, why: string): void {
    this.#screen.write(`${plainText(name)}: skipped, ${why}\n`)
  }

  end(): void {
    this.#stop()
  }

  #show(progress: Progress): void {
    this.#latest = progress
    const { bytesTotal = 0, bytesDone } = progress
    this.#figures = {
      name: this.#name,
      ...this.#text.figures(progress, this.#now()),
    }
    if (this.#bar === undefined) {
      this.#bar = this.#create()
      this.#bar.start(bytesTotal, bytesDone)
    } else {
      this.#bar.update(bytesDone)
    }
  }

  #create(): SingleBar {
    return new SingleBar({
      stream: this.#screen,
      // Asked at each redraw, so that a terminal may be resized.
      format: (_, { maxWidth }) =>
        this.#figures === undefined ? '' : barLine(this.#figures, maxWidth),
      hideCursor: true,
      clearOnComplete: false,
      emptyOnZero: true,
      linewrap: true,
      // Signals are ours.
      gracefulExit: false,
    })
  }

  #stop(): void {
    this.#bar?.stop()
    this.#bar = undefined
  }
}

function shortened(name: string): string {
  const characters = Array.from(name)
  if (characters.length <= nameWidth) return name
  return `…${characters.slice(1 - nameWidth).join('')}`
}
