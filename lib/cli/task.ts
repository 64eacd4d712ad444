/**
 * What every command has: where it writes, who may stop it, and how its end is
 * told. Resolves to an exit code, whatever happens.
 */
import process from 'node:process'
import { UploadError } from '../index.js'
import { BarReporter } from './bar-reporter.js'
import { exitCodeOf, exitCodes } from './exit-code.js'
import { failureText, stoppedText, type TaskKind } from './failure.js'
import { Interrupts } from './interrupts.js'
import { errorFields, JsonReporter } from './json-reporter.js'
import { LineReporter } from './line-reporter.js'
import type { Output, Reporter } from './reporter.js'

export interface CommonFlags {
  json?: true
  debug?: true
}

export interface Task {
  out: Output
  isJson: boolean
  reporter: Reporter
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
  const isJson = flags.json === true
  const reporter = isJson
    ? new JsonReporter(out)
    : log.isTTY
      ? new BarReporter(out, log)
      : new LineReporter(out, log)
  const interrupts = new Interrupts()
  interrupts.onExit = () => reporter.end()
  try {
    await work({ out, isJson, reporter, interrupts, misuse })
    return exitCodes.done
  } catch (error) {
    reporter.end()
    const { received } = interrupts
    const isStopped =
      received !== undefined && (kind === 'other' || isOurs(error))
    if (isJson) {
      const event = isStopped ? stopEvents[kind] : 'error'
      out.write(`${JSON.stringify({ event, ...errorFields(error) })}\n`)
    } else if (isStopped) {
      const resumable = isOurs(error) && error.resumable
      log.write(`${stoppedText(received, { kind, resumable })}\n`)
    } else {
      log.write(`${failureText(error, kind)}\n`)
    }
    if (flags.debug === true && error instanceof Error) {
      log.write(`${error.stack ?? error.message}\n`)
    }
    return isStopped ? exitCodes[received] : exitCodeOf(error, kind)
  } finally {
    interrupts.forget()
  }
}

/** What `--json` calls it when a signal ended it. */
const stopEvents: Record<TaskKind, string> = {
  file: 'suspended',
  stream: 'suspended',
  other: 'stopped',
}

/** What a signal made of it, or a source that the signal ended. */
function isOurs(error: unknown): error is UploadError {
  return error instanceof UploadError && error.code === 'PAWL_SUSPENDED'
}

function misuse(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
