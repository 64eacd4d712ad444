/** A dev server, a file to upload to it, and the command to do it with. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { DevServerOptions } from '../../lib/dev-server/index.js'
import {
  startCli,
  startInTerminal,
  type CliChild,
  type CliEnd,
} from './cli-child.js'
import { devStore, noise, smallPart, type DevStore } from './dev-store.js'

/** Of the file. */
export const parts = 12

export interface Desk extends DevStore {
  bytes: Buffer
  url: string
  start(args: readonly string[], input?: Uint8Array): CliChild
  terminal(args: readonly string[], columns?: number): CliChild
  run(args: readonly string[], input?: Uint8Array): Promise<CliEnd>
  logs(): Promise<string[]>
}

/** `sources` is what `compiledSources` gave. */
export async function cliDesk(
  t: Test,
  sources: string,
  options: DevServerOptions = {},
): Promise<Desk> {
  const dev = await devStore(t, options)
  const bytes = noise(parts * smallPart)
  await writeFile(join(dev.directory, 'db.dump'), bytes)
  const cwd = dev.directory
  const start: Desk['start'] = (args, input) =>
    startCli(sources, args, { cwd, ...(input === undefined ? {} : { input }) })
  return {
    ...dev,
    bytes,
    url: `${dev.server.endpoint}/examplebucket`,
    start,
    terminal: (args, columns = 120) =>
      startInTerminal(sources, args, { cwd, columns }),
    run: (args, input) => start(args, input).ended,
    logs: async () =>
      (await readdir(cwd)).filter((name) => name.endsWith('.pawl')),
  }
}

/** Slow enough to be stopped on the way. */
export const slow = { bytesPerSecond: 800_000 }
export const small = ['--part-size', String(smallPart), '--concurrency', '2']

export interface Line {
  event: string
  [name: string]: unknown
}

/** What `--json` said. */
export function linesOf({ out }: CliEnd): Line[] {
  return out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}
