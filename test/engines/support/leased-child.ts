/** A process of `test/fixtures/leased-child.ts`, and what it says. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { bareNode } from '../../support/bare-node.js'
import { compiledFixture } from '../../support/compiled.js'
import type { LeasedJob } from '../../support/leased-job.js'

export interface ChildLine {
  event: 'stopping' | 'part' | 'result' | 'failed'
  code?: string
  partsReused?: number
}

export interface LeasedChild {
  /** Resolves when it has stopped itself, by the system's word. */
  stopped(): Promise<void>
  /** Lets it go on; resolves to how it ended. */
  wake(): Promise<ChildLine>
  /** SIGKILL. */
  kill(): Promise<void>
}

export function startLeasedChild(t: Test, job: LeasedJob): LeasedChild {
  const [command, args] = bareNode(
    compiledFixture('leased-child'),
    JSON.stringify(job),
  )
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
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
      const found = heard.find(({ event }) => events.includes(event))
      if (found !== undefined) return found
      if (isClosed) throw new Error(`the child never said ${events.join(', ')}`)
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
