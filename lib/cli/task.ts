/**
 * What every command has: where it writes, who may stop it, and how its end is
 * told. Resolves to an exit code, whatever happens.
 */
import process from 'node:process'
import { isError } from '../realm.js'
import { UploadError } from '../index.js'
import { BarReporter } from './bar-reporter.js'
import {
  exitCodeOf,
  exitCodes,
  ToldFailure,
  type TaskKind,
} from './exit-code.js'
import { failureText, serverText, stoppedText } from './failure.js'
import { Interrupts } from './interrupts.js'
import { errorFields, JsonReporter } from './json-reporter.js'
import {
  JsonJobReporter,
  TextJobReporter,
  type JobReporter,
} from './job-reporter.js'
import { LineReporter } from './line-reporter.js'
import type { Output, Reporter, UploadReporter } from './reporter.js'
import { StandardOutput } from './standard-output.js'

export interface CommonFlags {
  json?: true
  debug?: true
  quiet?: true
  verbose?: true
}

export interface Task {
  out: Output
  /** For people who look on. */
  log: Output
  isJson: boolean
  reporter: Reporter
  /** For many files. */
  jobReporter: () => JobReporter
  interrupts: Interrupts
  /** Ends the command: its arguments make no sense. */
  misuse(message: string): never
}

export async function runTask(
  flags: CommonFlags,
  work: (task: Task) => Promise<void>,
  kind: TaskKind,
): Promise<number> {
  const { stdout: out, stderr: log } = process
  const written = new StandardOutput([out, log])
  const isJson = flags.json === true
  const { quiet = false, verbose = false } = flags
  const reporter = new CurrentReporter(
    isJson
      ? new JsonReporter(out)
      : quiet
        ? silentReporter
        : log.isTTY
          ? new BarReporter(out, log)
          : new LineReporter(out, log),
  )
  const screen = log.isTTY ? log : undefined
  const jobReporter = (): JobReporter =>
    isJson
      ? new JsonJobReporter(out)
      : new TextJobReporter({ out, log, screen }, { quiet, verbose })
  const interrupts = new Interrupts()
  interrupts.beforeExit(() => reporter.end())
  try {
    await work({
      out,
      log,
      isJson,
      reporter,
      jobReporter,
      interrupts,
      misuse,
    })
    // An upload that is done is done, whoever hears of it.
    if (kind === 'other') await written.mustBeWritten(out)
    return exitCodes.done
  } catch (error) {
    reporter.end()
    const { received } = interrupts
    const isStopped =
      received !== undefined && (kind === 'other' || isOurs(error))
    if (error instanceof ToldFailure) return error.exitCode
    if (isJson) {
      const event = isStopped ? stopEvents[kind] : 'error'
      const line = { event, ...reporter.subject, ...errorFields(error) }
      out.write(`${JSON.stringify(line)}\n`)
    } else if (isStopped) {
      const resumable = isOurs(error) && isResumable(error)
      log.write(`${stoppedText(received, { kind, resumable })}\n`)
    } else {
      log.write(`${failureText(error, kind)}\n`)
      const said = verbose ? serverText(error) : ''
      if (said !== '') log.write(`${said}\n`)
    }
    if (flags.debug === true && isError(error)) {
      log.write(`${error.stack ?? error.message}\n`)
    }
    return isStopped ? exitCodes[received] : exitCodeOf(error, kind)
  } finally {
    written.forget()
    interrupts.forget()
  }
}

/** Remembers which upload it told of last: the one that a failure is about. */
class CurrentReporter implements Reporter {
  readonly #reporter: Reporter
  subject: { source?: string; url?: string } = {}

  constructor(reporter: Reporter) {
    this.#reporter = reporter
  }

  begin(source: string, url: string): UploadReporter {
    this.subject = { source, url }
    return this.#reporter.begin(source, url)
  }

  skipped(name: string, why: string): void {
    this.#reporter.skipped(name, why)
  }

  end(): void {
    this.#reporter.end()
  }
}

/** For --quiet: what fails is told at the end. */
const silentReporter: Reporter = {
  begin: () => ({ event: () => undefined, done: () => undefined }),
  skipped: () => undefined,
  end: () => undefined,
}

/** What `--json` calls it when a signal ended it. */
const stopEvents: Record<TaskKind, string> = {
  file: 'suspended',
  stream: 'suspended',
  other: 'stopped',
}

/**
 * What a signal made of it. On a terminal it ends the command of `--exec` too,
 * and which of the two is seen first is chance.
 */
function isOurs(error: unknown): error is UploadError {
  return (
    error instanceof UploadError &&
    (error.code === 'PAWL_SUSPENDED' || error.code === 'PAWL_BEFORE_COMPLETE')
  )
}

function isResumable({ code, resumable }: UploadError): boolean {
  return resumable || code === 'PAWL_BEFORE_COMPLETE'
}

function misuse(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
