/** Runs `test/fixtures/watched-child.ts` to its end. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

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

/** `sources` is what `compiledSources` gave. */
export async function runWatchedChild(
  sources: string,
  job: WatchedChildJob,
  environment: Record<string, string> = {},
): Promise<WatchedChild> {
  const path = join(sources, 'test/fixtures/watched-child.js')
  const { stdout, stderr } = await promisify(execFile)(
    'env',
    // The test runner puts its loader into every child.
    ['-u', 'NODE_OPTIONS', process.execPath, path, JSON.stringify(job)],
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
