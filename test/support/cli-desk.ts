/** A dev server, a file to upload to it, and the command to do it with. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import {
  startCli,
  startInTerminal,
  startScript,
  startScriptInTerminal,
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
  /** A line of bash in which `pawl` is the command and `$URL` is `url`. */
  script(line: string, env?: Record<string, string>): CliChild
  scriptInTerminal(line: string): CliChild
  logs(): Promise<string[]>
}

export async function cliDesk(t: Test): Promise<Desk> {
  const dev = await devStore(t)
  const bytes = noise(parts * smallPart)
  await writeFile(join(dev.directory, 'db.dump'), bytes)
  const cwd = dev.directory
  const url = `${dev.server.endpoint}/examplebucket`
  const start: Desk['start'] = (args, input) =>
    startCli(args, { cwd, ...(input === undefined ? {} : { input }) })
  return {
    ...dev,
    bytes,
    url,
    start,
    terminal: (args, columns = 120) => startInTerminal(args, { cwd, columns }),
    run: (args, input) => start(args, input).ended,
    script: (line, env = {}) =>
      startScript(line, { cwd, env: { URL: url, ...env } }),
    scriptInTerminal: (line) =>
      startScriptInTerminal(line, { cwd, env: { URL: url } }),
    logs: async () =>
      (await readdir(cwd)).filter((name) => name.endsWith('.pawl')),
  }
}

/** Takes so many parts, and leaves every further one without an answer. */
export function holdAfter({ server }: Desk, count: number): void {
  let left = count
  server.setFault(({ operation }) =>
    operation === 'UploadPart' && left-- <= 0 ? { kind: 'silence' } : undefined,
  )
}

/** Takes parts slowly enough for a bar to be drawn on the way. */
export function slowDown({ server }: Desk): void {
  server.setFault(({ operation }) =>
    operation === 'UploadPart'
      ? { kind: 'trickle', bytesPerSecond: 400_000 }
      : undefined,
  )
}

/** From now on everything is answered. */
export function letGo({ server }: Desk): void {
  server.setFault(undefined)
}

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

/** Where a `pawl serve` says it is. */
export async function endpointOf(server: CliChild): Promise<string> {
  await server.until(/Try: .*\n/)
  const [endpoint = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(server.said()) ?? []
  return endpoint
}
