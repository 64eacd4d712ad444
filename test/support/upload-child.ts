/** Runs `test/fixtures/upload-child.ts` and hears what it says. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { bareNode } from './bare-node.js'
import { compiledFixture } from './compiled.js'

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
  /** Resolves when the child has said something of which this is true. */
  hearsThat(is: (said: Said) => boolean): Promise<Said | undefined>
  /** Resolves to how it ended. */
  readonly ended: Promise<{ code: number | null; signal: string | null }>
  kill(): void
  /** Stops it where it is. */
  pause(): void
  wake(): void
}

/** `flags` and `environment` are Node's. */
export function startUpload(
  job: UploadChildJob,
  {
    flags = [],
    environment = {},
  }: { flags?: string[]; environment?: Record<string, string> } = {},
): UploadChild {
  return startChild(compiledFixture('upload-child'), job, environment, flags)
}

/** Any program that takes its job so, and says what happens so. */
export function startChild(
  path: string,
  job: object,
  environment: Record<string, string> = {},
  flags: string[] = [],
): UploadChild {
  const child = spawn(...bareNode(...flags, path, JSON.stringify(job)), {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  })
  const said: Said[] = []
  const waiting: {
    is: (said: Said) => boolean
    resolve: (said?: Said) => void
  }[] = []
  const hearsThat = (is: (said: Said) => boolean) =>
    new Promise<Said | undefined>((resolve) => {
      const before = said.find(is)
      if (before !== undefined || child.exitCode !== null) resolve(before)
      else waiting.push({ is, resolve })
    })
  if (child.stdout === null) throw new Error('the child has no output')
  createInterface({ input: child.stdout }).on('line', (line) => {
    const word = JSON.parse(line) as Said
    said.push(word)
    for (const { is, resolve } of waiting) {
      if (is(word)) resolve(word)
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
    hearsThat,
    hears: (...events) => hearsThat(({ event }) => events.includes(event)),
    kill: () => void child.kill('SIGKILL'),
    pause: () => void child.kill('SIGSTOP'),
    wake: () => void child.kill('SIGCONT'),
  }
}
