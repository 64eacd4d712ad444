/** Runs `test/fixtures/watched-child.ts` to its end. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { bareNode } from './bare-node.js'
import { compiledFixture } from './compiled.js'

export interface WatchedChildJob {
  endpoint: string
  key: string
  checkpoint: string
  /** Bytes. */
  partSize: number
  size: number
  credentials: {
    accessKeyId: string
    accessKeySecret: string
    securityToken?: string
  }
  /** Every subscriber throws. */
  throws?: boolean
}

export interface WatchedChild {
  said: { event: string; [name: string]: unknown }[]
  /** What `NODE_DEBUG` gave, a line each, without `PAWL pid: `. */
  lines: string[]
  stderr: string
}

export async function runWatchedChild(
  job: WatchedChildJob,
  environment: Record<string, string> = {},
): Promise<WatchedChild> {
  const path = compiledFixture('watched-child')
  const { stdout, stderr } = await promisify(execFile)(
    ...bareNode(path, JSON.stringify(job)),
    { env: { ...process.env, ...environment } },
  )
  return {
    said: linesOf(stdout).map((line) => JSON.parse(line) as { event: string }),
    lines: linesOf(stderr).map((line) => line.replace(/^PAWL \d+: /, '')),
    stderr,
  }
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}
