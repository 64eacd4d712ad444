/**
 * A child in a group of its own, which a signal ends with all that it has started:
 * tap does not pass one on to the tests that it runs, nor they to their servers.
 */
import { spawn } from 'node:child_process'

export function startGroup(command, args, options = {}) {
  return spawn(command, args, { ...options, detached: true })
}

/** Idempotent; what has ended is let be. */
export function endGroup({ pid }, signal = 'SIGTERM') {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
