/** For terminals: a bar with stored bytes, rate, time left and parts reused. */
import { SingleBar } from 'cli-progress'
import type { Progress, UploadEvents, UploadResult } from '../index.js'
import { eventText, resultText } from './event-text.js'
import { ProgressText, type ProgressFigures } from './progress-text.js'
import type { Output, Reporter, UploadEventName } from './reporter.js'

/** Characters of the longest name that is shown whole. */
const nameWidth = 24
/** Characters that the figures may take. */
const figuresWidth = 66

export class BarReporter implements Reporter {
  readonly #out: Output
  readonly #screen: NodeJS.WriteStream
  readonly #now: () => number
  #text = new ProgressText()
  #bar: SingleBar | undefined
  #name = ''
  #latest: Progress | undefined

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

  begin(name: string): void {
    this.#name = shortened(name)
    this.#text = new ProgressText()
    this.#latest = undefined
  }

  event<Name extends UploadEventName>(
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

  done(result: UploadResult, url: string): void {
    this.#stop()
    this.#out.write(`${resultText(result, url)}\n`)
  }

  end(): void {
    this.#stop()
  }

  #show(progress: Progress): void {
    this.#latest = progress
    const { bytesTotal = 0, bytesStored } = progress
    const payload: ProgressFigures & { name: string } = {
      name: this.#name,
      ...this.#text.figures(progress, this.#now()),
    }
    if (this.#bar === undefined) {
      this.#bar = this.#create(progress.bytesTotal !== undefined)
      this.#bar.start(bytesTotal, bytesStored, payload)
    } else {
      this.#bar.update(bytesStored, payload)
    }
  }

  #create(isTotalKnown: boolean): SingleBar {
    const figures = '{stored}  {rate}  {left}  {reused}'
    return new SingleBar({
      stream: this.#screen,
      format: isTotalKnown
        ? `{name} [{bar}] {percent}%  ${figures}`
        : `{name}  ${figures}`,
      barsize: this.#barWidth(),
      barCompleteChar: '=',
      barIncompleteChar: ' ',
      hideCursor: true,
      clearOnComplete: false,
      emptyOnZero: true,
      linewrap: true,
      // Signals are ours.
      gracefulExit: false,
    })
  }

  /** What the line has left: a terminal cuts it off at its edge. */
  #barWidth(): number {
    const { columns } = this.#screen
    const width = columns > 0 ? columns : 80
    const left = width - figuresWidth - this.#name.length
    return Math.max(6, Math.min(24, left))
  }

  #stop(): void {
    this.#bar?.stop()
    this.#bar = undefined
  }
}

function shortened(name: string): string {
  if (name.length <= nameWidth) return name
  return `…${name.slice(1 - nameWidth)}`
}
