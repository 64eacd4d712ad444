/** `pawl put` of a file: a process of its own, from its start to its exit. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export async function createClient({ port, directory, crc, verify }) {
  const flags = verify === false ? ['--verify', 'none'] : []
  return {
    async run({ path, key }) {
      const name = crc ? `crc/${key}` : key
      const url = `http://127.0.0.1:${port}/bench/${name}`
      const child = spawn(
        process.execPath,
        [main, 'put', '--quiet', ...flags, path, url],
        {
          cwd: directory,
          // No proxy and no configuration of whoever runs this.
          env: { PATH: process.env.PATH, HOME: directory },
          stdio: ['ignore', 'ignore', 'pipe'],
        },
      )
      const [said, [code]] = await Promise.all([
        text(child.stderr),
        once(child, 'exit'),
      ])
      if (code !== 0) throw new Error(`pawl put ended with ${code}\n${said}`)
    },
    childCpu,
  }
}

/** CPU seconds of the processes that have ended; Linux alone says it. */
function childCpu() {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user, system] = fields.slice(13, 15).map((ticks) => ticks / 100)
  return { user, system }
}
