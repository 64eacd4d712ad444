/** What becomes of many files, told as a whole: totals, failures, a summary. */
import { SingleBar } from 'cli-progress'
import type { UploadEvents, UploadResult } from '../index.js'
import type { JobFile, Unneeded } from '../job/job-file.js'
import { eventText, resultText } from './event-text.js'
import { failureText, serverText } from './failure.js'
import type { Interruption } from './interrupts.js'
import { errorFields, eventFields } from './json-reporter.js'
import { plainText } from './plain-text.js'
import { Rate } from './rate.js'
import type { Output, UploadReporter } from './reporter.js'
import { countOf, formatDuration, formatSize } from './units.js'

/** How a job came to its end. */
export interface JobEnding {
  /** What ended it before its last file. */
  stopped: unknown
  received: Interruption | undefined
  isWhole: boolean
}

export interface JobReporter {
  begin(file: JobFile, url: string): UploadReporter
  unneeded(file: JobFile, url: string, why: Unneeded): void
  wouldSend(file: JobFile, url: string): void
  skipped(path: string, why: string): void
  failed(path: string, error: unknown, url: string | undefined): void
  ended(ending: JobEnding): void
  /** Nothing more is told. Idempotent. */
  end(): void
}

export interface Totals {
  sent: number
  /** Bytes in them. */
  bytes: number
  sentBefore: number
  sameThere: number
  wouldSend: number
  skipped: number
  failed: number
}

function noTotals(): Totals {
  return {
    sent: 0,
    bytes: 0,
    sentBefore: 0,
    sameThere: 0,
    wouldSend: 0,
    skipped: 0,
    failed: 0,
  }
}

/** For programs: a line for what happens to each file, and one for all. */
export class JsonJobReporter implements JobReporter {
  readonly #out: Output
  readonly #totals = noTotals()

  constructor(out: Output) {
    this.#out = out
  }

  begin({ path: source, size }: JobFile, url: string): UploadReporter {
    const write = (event: string, detail: object): void =>
      this.#write({ event, source, url, ...detail })
    write('begin', { size })
    return {
      event: (name, event) => {
        // Ten thousand files are told of by their ends.
        if (name === 'progress' || name === 'part') return
        write(name, eventFields(name, event))
      },
      done: (result) => {
        count(this.#totals, result)
        write('result', result)
      },
    }
  }

  unneeded({ path: source, size }: JobFile, url: string, why: Unneeded): void {
    this.#totals[why === 'sent-before' ? 'sentBefore' : 'sameThere'] += 1
    this.#write({ event: 'unneeded', source, url, size, why })
  }

  wouldSend({ path: source, size }: JobFile, url: string): void {
    this.#totals.wouldSend += 1
    this.#write({ event: 'would-send', source, url, size })
  }

  skipped(source: string, why: string): void {
    this.#totals.skipped += 1
    this.#write({ event: 'skipped', source, why })
  }

  failed(source: string, error: unknown, url: string | undefined): void {
    this.#totals.failed += 1
    this.#write({ event: 'error', source, url, ...errorFields(error) })
  }

  ended({ stopped, received, isWhole }: JobEnding): void {
    const event =
      received === undefined ? 'summary' : ('suspended' satisfies string)
    this.#write({
      event,
      ...this.#totals,
      isWhole,
      ...(received === undefined ? {} : { signal: received }),
      ...(stopped === undefined ? {} : { stopped: errorFields(stopped) }),
    })
  }

  end(): void {
    // Every line is whole.
  }

  #write(line: object): void {
    this.#out.write(`${JSON.stringify(line)}\n`)
  }
}

function count(totals: Totals, { size }: UploadResult): void {
  totals.sent += 1
  totals.bytes += size
}

export interface TextJobOptions {
  /** Results, a line each. */
  verbose: boolean
  /** Failures alone. */
  quiet: boolean
  now?: () => number
}

/** ms between two lines of totals, where there is no terminal. */
const interval = 5000

/** For people: totals in one line, failures as they come, a summary. */
export class TextJobReporter implements JobReporter {
  readonly #out: Output
  readonly #log: Output
  readonly #screen: NodeJS.WriteStream | undefined
  readonly #options: TextJobOptions
  readonly #now: () => number
  readonly #started: number
  readonly #rate = new Rate()
  readonly #totals = noTotals()
  /** Bytes of uploads under way. */
  readonly #under = new Map<string, number>()
  #last: number
  #bar: SingleBar | undefined

  /** With a `screen` the totals stay in one line of it. */
  constructor(
    {
      out,
      log,
      screen,
    }: { out: Output; log: Output; screen?: NodeJS.WriteStream | undefined },
    options: TextJobOptions,
  ) {
    this.#out = out
    this.#log = log
    this.#screen = options.quiet ? undefined : screen
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#started = this.#now()
    this.#last = this.#started
  }

  begin(file: JobFile, url: string): UploadReporter {
    const { path } = file
    this.#under.set(path, 0)
    return {
      event: (name, event) => {
        const told: Partial<UploadEvents> = { [name]: event }
        if (told.progress !== undefined) {
          this.#under.set(path, told.progress.bytesStored)
          this.#moved()
          return
        }
        const line = eventText(name, event)
        if (
          line !== undefined &&
          (told.retry === undefined || this.#options.verbose)
        ) {
          this.#say(`${plainText(path)}: ${line}`)
        }
      },
      done: (result) => {
        this.#under.delete(path)
        count(this.#totals, result)
        if (this.#options.verbose) this.#result(resultText(result, url))
        this.#moved()
      },
    }
  }

  unneeded({ path }: JobFile, url: string, why: Unneeded): void {
    this.#totals[why === 'sent-before' ? 'sentBefore' : 'sameThere'] += 1
    const words = {
      'sent-before': 'sent before',
      'same-there': 'the same is there',
    }
    if (this.#options.verbose)
      this.#result(`${plainText(path)} = ${plainText(url)} (${words[why]})`)
    this.#moved()
  }

  wouldSend({ path, size }: JobFile, url: string): void {
    this.#totals.wouldSend += 1
    this.#result(
      `${plainText(path)} -> ${plainText(url)} (${formatSize(size)})`,
    )
  }

  skipped(path: string, why: string): void {
    this.#totals.skipped += 1
    this.#say(`${plainText(path)}: skipped, ${why}`)
  }

  failed(path: string, error: unknown): void {
    this.#under.delete(path)
    this.#totals.failed += 1
    this.#pause()
    const text =
      failureText(error, 'other')
        .replace(/^pawl: /, '')
        .split('\n')[0] ?? ''
    this.#log.write(`pawl: ${plainText(path)}: ${text}\n`)
    const said = this.#options.verbose ? serverText(error) : ''
    if (said !== '') this.#log.write(`${said}\n`)
  }

  ended({ stopped, received, isWhole }: JobEnding): void {
    this.end()
    if (stopped !== undefined) {
      this.#log.write(
        `${failureText(stopped, 'other')}\nThe other files were not tried.\n`,
      )
    }
    if (!this.#options.quiet) {
      const time = formatDuration(this.#now() - this.#started)
      this.#out.write(`${summaryText(this.#totals)} in ${time}\n`)
    }
    if (received !== undefined) {
      this.#log.write(
        `pawl: suspended by ${received}. Run the same command again to send the rest.\n`,
      )
    } else if (this.#totals.failed > 0 || !isWhole) {
      this.#log.write(
        'Run the same command again to send what failed; what was sent is not sent again.\n',
      )
    }
  }

  end(): void {
    this.#bar?.stop()
    this.#bar = undefined
  }

  #result(line: string): void {
    this.#pause()
    this.#out.write(`${line}\n`)
  }

  #say(line: string): void {
    if (this.#options.quiet) return
    this.#pause()
    this.#log.write(`${line}\n`)
  }

  /** Makes room for a line; the next figures begin another. */
  #pause(): void {
    this.end()
  }

  #moved(): void {
    if (this.#options.quiet) return
    const now = this.#now()
    this.#rate.add(this.#bytes(), now)
    if (this.#screen !== undefined) {
      this.#bar ??= this.#open(this.#screen)
      this.#bar.update(this.#totals.sent)
    } else if (now - this.#last >= interval) {
      this.#last = now
      this.#log.write(`${this.#line()}\n`)
    }
  }

  #open(stream: NodeJS.WriteStream): SingleBar {
    const bar = new SingleBar({
      stream,
      format: (_, { maxWidth }) =>
        this.#line().slice(0, Math.max(0, maxWidth - 1)),
      hideCursor: true,
      clearOnComplete: false,
      emptyOnZero: true,
      linewrap: true,
      gracefulExit: false,
    })
    bar.start(Number.MAX_SAFE_INTEGER, 0)
    return bar
  }

  #bytes(): number {
    let bytes = this.#totals.bytes
    for (const under of this.#under.values()) bytes += under
    return bytes
  }

  #line(): string {
    const { sent, sentBefore, sameThere, failed } = this.#totals
    const perSecond = this.#rate.perSecond
    return [
      countOf(sent, 'file'),
      formatSize(this.#bytes()),
      perSecond === undefined ? '' : `${formatSize(perSecond)}/s`,
      sentBefore + sameThere === 0
        ? ''
        : `${sentBefore + sameThere} there already`,
      failed === 0 ? '' : `${failed} failed`,
    ]
      .filter((text) => text !== '')
      .join(', ')
  }
}

/** Nothing that is zero, but for what was sent. */
export function summaryText(totals: Totals): string {
  const { sent, bytes, sentBefore, sameThere } = totals
  const { wouldSend, skipped, failed } = totals
  if (wouldSend > 0) return `${countOf(wouldSend, 'file')} would be sent`
  const rest: [number, string][] = [
    [sentBefore, 'sent before'],
    [sameThere, 'the same there'],
    [skipped, 'skipped'],
    [failed, 'failed'],
  ]
  return [
    `${countOf(sent, 'file')} sent (${formatSize(bytes)})`,
    ...rest
      .filter(([number]) => number > 0)
      .map(([number, what]) => `${number} ${what}`),
  ].join(', ')
}
