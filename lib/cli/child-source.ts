/**
 * The standard output of a shell command as a source. A command that dies ends
 * its output like one that is done, so its exit decides whether what it printed
 * is whole.
 */
import { spawn } from 'node:child_process'
import process from 'node:process'
import type { Readable } from 'node:stream'

export interface ChildSource {
  readonly output: Readable
  /** Rejects unless the command ended well. */
  succeeded(): Promise<void>
  /** Ends the command and what it started. Idempotent. */
  stop(): void
}

export function startChild(command: string): ChildSource {
  const child = spawn(command, {
    shell: true,
    stdio: ['inherit', 'pipe', 'inherit'],
    // A group of its own: Ctrl-C is for us, and we end all of it.
    detached: process.platform !== 'win32',
  })
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (code === 0) resolve()
      else reject(new Error(`the command ${howItEnded(code, signal)}`))
    })
  })
  // It is asked for when the output has ended.
  ended.catch(() => undefined)
  return {
    output: child.stdout,
    succeeded: () => ended,
    stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const { pid } = child
      if (pid === undefined || process.platform === 'win32') child.kill()
      else killGroup(pid)
    },
  }
}

function howItEnded(code: number | null, signal: string | null): string {
  return code === null ? `was ended by ${signal}` : `exited with ${code}`
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGTERM')
  } catch (error) {
    // It ended meanwhile.
    if (!(
      error instanceof Error &&
      'code' in error &&
      error.code === 'ESRCH'
    )) {
      throw error
    }
  }
}
