/** A process that stops itself behind a record of its log, and what it says. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { bareNode } from '../../support/bare-node.js'
import { compiledFixture } from '../../support/compiled.js'
import type { ChildLine } from '../../support/leased-job.js'

export interface LeasedChild {
  /** Resolves when it has stopped itself once more, by the system's word. */
  stopped(): Promise<void>
  /** Lets it go on, to where it stops next. */
  goOn(): void
  /** Resolves to how it ended. */
  ended(): Promise<ChildLine>
  /** Lets it go on; resolves to how it ended. */
  wake(): Promise<ChildLine>
  /** SIGKILL. */
  kill(): Promise<void>
}

/** Where a process runs, when that is not here. */
export interface Whereabouts {
  /** What comes before its command. */
  words: string[]
  /** Its own directory, home and place for temporary files. */
  directory: string
}

/** `name` is a file of `test/fixtures`, which takes its job on the command line. */
export function startLeasedChild(
  t: Test,
  name: string,
  job: object,
  where?: Whereabouts,
): LeasedChild {
  const [node, args] = bareNode(compiledFixture(name), JSON.stringify(job))
  const [command = node, ...words] = [...(where?.words ?? []), node, ...args]
  const own =
    where === undefined
      ? {}
      : {
          cwd: where.directory,
          env: {
            PATH: process.env['PATH'],
            HOME: where.directory,
            TMPDIR: where.directory,
          },
        }
  const child = spawn(command, words, {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...own,
  })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const heard: ChildLine[] = []
  const ears: (() => void)[] = []
  const lines = createInterface(child.stdout)
  lines.on('line', (line) => {
    heard.push(JSON.parse(line) as ChildLine)
    for (const ear of ears.splice(0)) ear()
  })
  let isClosed = false
  lines.on('close', () => {
    isClosed = true
    for (const ear of ears.splice(0)) ear()
  })
  const line = async (...events: ChildLine['event'][]): Promise<ChildLine> => {
    for (;;) {
      const at = heard.findIndex(({ event }) => events.includes(event))
      // What was waited for once is heard once.
      const [found] = at < 0 ? [] : heard.splice(at, 1)
      if (found !== undefined) return found
      if (isClosed) {
        const said = JSON.stringify(heard)
        throw new Error(`the child never said ${events.join(', ')}: ${said}`)
      }
      await new Promise<void>((resolve) => {
        ears.push(resolve)
      })
    }
  }
  return {
    async stopped() {
      await line('stopping')
      while (!(await isStopped(child.pid ?? 0))) {
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
      }
    },
    ended: () => line('result', 'failed'),
    goOn: () => void child.kill('SIGCONT'),
    async wake() {
      child.kill('SIGCONT')
      return line('result', 'failed')
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function isStopped(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  return /^\d+ \(.*\) T /s.test(stat)
}
