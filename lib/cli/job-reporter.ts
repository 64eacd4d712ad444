/** What becomes of many files, told as a whole: totals, failures, a summary. */
import { SingleBar } from 'cli-progress'
import type { Progress, UploadEvents, UploadResult } from '../index.js'
import type { JobFile, Unneeded } from '../job/job-file.js'
import { barLine, type BarFigures } from './bar-line.js'
import { eventText, resultText } from './event-text.js'
import { failureText, serverText } from './failure.js'
import type { Interruption } from './interrupts.js'
import { errorFields, eventFields } from './json-reporter.js'
import { plainText } from './plain-text.js'
import { figuresOf } from './progress-text.js'
import { Rate } from './rate.js'
import type { Output, UploadReporter } from './reporter.js'
import { countOf, formatDuration, formatSize } from './units.js'

/** How a job came to its end. */
export interface JobEnding {
  /** The error that ended the job before its last file. */
  stopped: unknown
  received: Interruption | undefined
  isWhole: boolean
}

/** All that a job has to look at, found beside its work. */
export interface JobTotal {
  files: number
  bytes: number
}

export interface JobReporter {
  /** On a terminal somebody looks on and wants to know how much there is. */
  readonly isWatched: boolean
  expect(total: JobTotal): void
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
  readonly isWatched = false
  readonly #out: Output
  readonly #totals = noTotals()

  constructor(out: Output) {
    this.#out = out
  }

  expect(): void {
    // Who reads it has a line for each file.
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
  /** Uploads under way, by their files. */
  readonly #under = new Map<string, UnderWay>()
  #total: JobTotal | undefined
  /** Bytes of files that are there: sent, or sent before. */
  #there = 0
  /** Of those, bytes that this run has brought. */
  #brought = 0
  /** Bytes of files that failed: nobody waits for them. */
  #given = 0
  /** Bytes done; never falls. */
  #done = 0
  #moved = 0
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

  get isWatched(): boolean {
    return this.#screen !== undefined
  }

  expect(total: JobTotal): void {
    this.#total = total
    this.#show()
  }

  begin(file: JobFile, url: string): UploadReporter {
    const { path, size } = file
    const under: UnderWay = { size, done: 0, brought: 0 }
    this.#under.set(path, under)
    return {
      event: (name, event) => {
        const told: Partial<UploadEvents> = { [name]: event }
        if (told.progress !== undefined) {
          moveOn(under, told.progress)
          this.#show()
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
        this.#there += result.size
        this.#brought += result.size - result.bytesReused
        if (this.#options.verbose) this.#result(resultText(result, url))
        this.#show()
      },
    }
  }

  unneeded({ path, size }: JobFile, url: string, why: Unneeded): void {
    this.#totals[why === 'sent-before' ? 'sentBefore' : 'sameThere'] += 1
    this.#there += size
    const words = {
      'sent-before': 'sent before',
      'same-there': 'the same is there',
    }
    if (this.#options.verbose)
      this.#result(`${plainText(path)} = ${plainText(url)} (${words[why]})`)
    this.#show()
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
    this.#given += this.#under.get(path)?.size ?? 0
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

  #show(): void {
    if (this.#options.quiet) return
    const now = this.#now()
    let [done, moved] = [this.#there, this.#brought]
    for (const under of this.#under.values()) {
      done += under.done
      moved += under.brought
    }
    this.#done = Math.max(this.#done, done)
    this.#moved = Math.max(this.#moved, moved)
    this.#rate.add(this.#moved, now)
    if (this.#screen !== undefined) {
      this.#bar ??= this.#open(this.#screen)
      this.#bar.update(this.#done)
    } else if (now - this.#last >= interval) {
      this.#last = now
      const { name, percent, done, rate, left, reused } = this.#figures()
      const share = percent === undefined ? '' : `${percent}%`
      const told = [name, share, done, rate, left, reused]
      this.#log.write(`${told.filter((text) => text !== '').join(', ')}\n`)
    }
  }

  #open(stream: NodeJS.WriteStream): SingleBar {
    const bar = new SingleBar({
      stream,
      format: (_, { maxWidth }) => barLine(this.#figures(), maxWidth),
      hideCursor: true,
      clearOnComplete: false,
      emptyOnZero: true,
      linewrap: true,
      gracefulExit: false,
    })
    bar.start(Number.MAX_SAFE_INTEGER, 0)
    return bar
  }

  #figures(): BarFigures {
    const { sent, sentBefore, sameThere, failed } = this.#totals
    const there = sentBefore + sameThere
    const seen = sent + there + failed
    const total = this.#total
    // Files that were made since it was counted are sent too.
    const bytes = total && Math.max(this.#done, total.bytes - this.#given)
    const notes = [
      there === 0 ? '' : `${there} there already`,
      failed === 0 ? '' : `${failed} failed`,
    ]
    return {
      name: total
        ? `${seen} of ${countOf(Math.max(seen, total.files), 'file')}`
        : countOf(seen, 'file'),
      ...figuresOf(this.#done, bytes, this.#rate),
      reused: notes.filter((note) => note !== '').join(', '),
    }
  }
}

interface UnderWay {
  /** Bytes of the file. */
  readonly size: number
  done: number
  /** By this run. */
  brought: number
}

function moveOn(under: UnderWay, { bytesDone, bytesReused }: Progress): void {
  under.done = bytesDone
  under.brought = bytesDone - bytesReused
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
