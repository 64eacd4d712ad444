/** Runs `test/fixtures/upload-child.ts` and hears what it says. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'

export interface UploadChildJob {
  endpoint: string
  key: string
  checkpoint: string
  file: string
  partSize: number
  concurrency: number
  gzip: boolean
}

export interface Said {
  event: string
  [name: string]: unknown
}

export interface UploadChild {
  readonly said: readonly Said[]
  /** Resolves when the child has said so, or to undefined when it ends before. */
  hears(...events: string[]): Promise<Said | undefined>
  /** Resolves to how it ended. */
  readonly ended: Promise<{ code: number | null; signal: string | null }>
  kill(): void
}

/** `sources` is what `compiledSources` gave. */
export function startUpload(sources: string, job: UploadChildJob): UploadChild {
  const path = join(sources, 'test/fixtures/upload-child.js')
  const child = spawn(
    // The test runner puts its loader into every child, which takes seconds.
    'env',
    ['-u', 'NODE_OPTIONS', process.execPath, path, JSON.stringify(job)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const said: Said[] = []
  const waiting: { events: string[]; resolve: (said?: Said) => void }[] = []
  if (child.stdout === null) throw new Error('the child has no output')
  createInterface({ input: child.stdout }).on('line', (line) => {
    const word = JSON.parse(line) as Said
    said.push(word)
    for (const { events, resolve } of waiting) {
      if (events.includes(word.event)) resolve(word)
    }
  })
  const ended = new Promise<{ code: number | null; signal: string | null }>(
    (resolve) => {
      child.once('close', (code, signal) => {
        for (const { resolve: tell } of waiting) tell()
        resolve({ code, signal })
      })
    },
  )
  return {
    said,
    ended,
    hears: (...events) =>
      new Promise((resolve) => {
        const before = said.find(({ event }) => events.includes(event))
        if (before !== undefined || child.exitCode !== null) resolve(before)
        else waiting.push({ events, resolve })
      }),
    kill: () => void child.kill('SIGKILL'),
  }
}
