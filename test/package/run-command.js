/** Commands that have to succeed, within a time. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** What each may take, ms. */
const patience = 170_000
const isWindows = process.platform === 'win32'

/** Resolves to what it printed; rejects with that when it fails. */
export function run(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const all = {
      timeout: patience,
      killSignal: 'SIGKILL',
      maxBuffer: 64 * 1024 * 1024,
      // On Windows `npm` and the like are scripts of its shell.
      shell: isWindows && file !== process.execPath,
      ...options,
    }
    execFile(file, args, all, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      const how = error.killed ? `took over ${patience} ms` : 'failed'
      const command = [file, ...args].join(' ')
      reject(new Error(`${command} ${how}:\n${stdout}\n${stderr}`))
    })
  })
}

/** A command that a dependency brings. */
export function bin(name) {
  return join(root, 'node_modules/.bin', isWindows ? `${name}.cmd` : name)
}

export function npm(args, options) {
  return run('npm', args, options)
}
