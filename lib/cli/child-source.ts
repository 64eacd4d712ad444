/**
 * The standard output of a shell command as a source. A command that dies ends
 * its output like one that is done, so its exit decides whether what it printed
 * is whole; of a pipe, the exit of every command in it.
 *
 * On a terminal the command shares it, so that `ssh`, `sudo` and `mysqldump -p`
 * can ask for a password, and Ctrl-C reaches it as well. Without one it is a
 * process group of its own.
 */
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import process from 'node:process'
import type { Readable } from 'node:stream'
import { systemCode } from '../realm.js'
import { UploadError } from '../index.js'
import { descendantsOf } from './process-tree.js'

export interface ChildSource {
  readonly output: Readable
  /** Rejects unless the command ended well. */
  succeeded(): Promise<void>
  /** Ends the command and what it started. Idempotent. */
  stop(): void
}

/** Shells that can be told to mind every command of a pipe. */
const minding = ['bash', 'zsh', 'ksh', 'sh']

/** What a shell says of a command that wrote to a pipe which nobody read. */
const sigpipe = 141

/** Throws `PAWL_INVALID_OPTION` for a pipe when no shell minds all of it. */
export function startChild(
  command: string,
  { ignoresHangup }: { ignoresHangup: boolean },
): ChildSource {
  const isWindows = process.platform === 'win32'
  const { shell, options } = shellFor(command, isWindows)
  const hasTerminal = !isWindows && opensTerminal()
  const line = isWindows
    ? `"${command}"`
    : ignoresHangup
      ? `trap '' HUP\n${command}`
      : command
  const child = spawn(shell, [...options, line], {
    stdio: ['inherit', 'pipe', 'inherit'],
    detached: !isWindows && !hasTerminal,
    windowsVerbatimArguments: isWindows,
  })
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (code === 0) resolve()
      else reject(new Error(`the command ${howItEnded(code, signal)}`))
    })
  })
  // Awaited when the output has ended; until then a failure is no unhandled
  // rejection.
  ended.catch(() => undefined)
  return {
    output: child.stdout,
    succeeded: () => ended,
    stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const { pid } = child
      if (pid === undefined || isWindows) child.kill()
      else if (hasTerminal) [...descendantsOf(pid), pid].forEach(end)
      else end(-pid)
    },
  }
}

interface Shell {
  shell: string
  options: readonly string[]
}

function shellFor(command: string, isWindows: boolean): Shell {
  if (isWindows) {
    if (hasPipe(command)) refusePipe('cmd.exe')
    const shell = process.env['comspec'] ?? 'cmd.exe'
    return { shell, options: ['/d', '/s', '/c'] }
  }
  const shell = minding.find(
    (name) =>
      spawnSync(name, ['-o', 'pipefail', '-c', ':'], { stdio: 'ignore' })
        .status === 0,
  )
  if (shell !== undefined) return { shell, options: ['-o', 'pipefail', '-c'] }
  if (hasPipe(command)) refusePipe('this sh')
  return { shell: 'sh', options: ['-c'] }
}

/** Whether a command has a pipe, as far as can be seen without a shell. */
export function hasPipe(command: string): boolean {
  const unquoted = command
    .replaceAll(/\\./g, '')
    .replaceAll(/'[^']*'/g, '')
    .replaceAll(/"[^"$`]*"/g, '')
  return /(?:^|[^|])\|(?:[^|]|$)/.test(unquoted)
}

function refusePipe(shell: string): never {
  throw new UploadError(
    'PAWL_INVALID_OPTION',
    `--exec: ${shell} does not say when a command before the last of a pipe fails, and a broken dump would pass for a whole one; install bash, or give a script that checks each of them`,
  )
}

function opensTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY))
    return true
  } catch {
    return false
  }
}

function howItEnded(code: number | null, signal: string | null): string {
  if (code === null) return `was ended by ${signal}`
  return code === sigpipe
    ? `exited with ${code}: a command of its pipe was not read to its end`
    : `exited with ${code}`
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM')
  } catch (error) {
    const code = systemCode(error)
    // It ended meanwhile, or is another user's (sudo): then its terminal, or
    // its output, which nobody reads any more, ends it.
    if (code !== 'ESRCH' && code !== 'EPERM') throw error
  }
}
