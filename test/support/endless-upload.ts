/** A stream of unknown length from another process, killed on either side of its joint. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { build } from 'esbuild'
import type { Test } from 'tap'
import {
  offsetAt,
  partSizeAt,
  partsOf,
  type PartSizes,
} from '../../lib/checkpoint/growth.js'
import type { EndlessReport } from '../fixtures/endless-upload-child.js'
import { compiledFixture, compiledSources } from './compiled.js'
import { devStore } from './dev-store.js'

const MiB = 1024 * 1024

/** Later lines of Node take more from the start, and give what is young more room. */
const isLater = Number(process.versions.node.split('.')[0]) > 20
const more = isLater ? 60 * MiB : 0

/** Bytes of an upload's parts in flight, at most: the default of `memory`. */
const held = 96 * MiB

export interface EndlessJob {
  /** Bytes of the source. */
  size: number
  sizes: PartSizes
  /** Killed when these parts are on their way: one on each side of the joint. */
  kills: readonly number[]
  /**
   * Bytes resident, at most: three parts of 32 MiB, and Node, undici, the worker
   * that hashes and garbage, of which there is more where others are at work.
   */
  memory: number
}

/** The child as one file beside its packages, as the library is shipped. */
async function shippedChild(t: Test): Promise<string> {
  const sources = compiledSources()
  const directory = await mkdtemp(join(dirname(sources), 'pawl-shipped-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const exports = './upload/child.js'
  const manifest = JSON.stringify({ name: 'pawl', type: 'module', exports })
  await writeFile(join(directory, 'package.json'), manifest)
  await build({
    entryPoints: {
      'upload/child': join(sources, 'test/fixtures/endless-upload-child.js'),
      'hash/digest-worker': join(sources, 'lib/hash/digest-worker.js'),
    },
    outdir: directory,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    charset: 'ascii',
  })
  return join(directory, 'upload/child.js')
}

export async function uploadEndless(
  t: Test,
  { size, sizes, kills, memory }: EndlessJob,
): Promise<void> {
  const dev = await devStore(t, {
    discard: true,
    digests: 'crc64',
    keepRequests: false,
  })
  const uploader = await shippedChild(t)
  const { endpoint } = dev.server
  const checkpoint = join(dev.directory, 'endless.pawl')
  const upload = { endpoint, checkpoint, sizes }
  const times = new Map<number, number>()
  /** A real pipe: what a shell puts between two commands. */
  const start = (isHashed: boolean) => {
    const line = [
      [compiledFixture('endless-source'), JSON.stringify({ size, isHashed })],
      [uploader, JSON.stringify(upload)],
    ]
      // Without what the test runner puts into every child, which takes memory.
      .map(
        (words) => `env -i "${process.execPath}" "${words[0]}" '${words[1]}'`,
      )
      .join(' | ')
    return spawn('sh', ['-c', line], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, which is killed together.
      detached: true,
    })
  }
  const run = async (until: number, isHashed: boolean) => {
    const child = start(isHashed)
    dev.server.setFault(({ operation, partNumber = 0 }) => {
      if (operation !== 'UploadPart') return undefined
      times.set(partNumber, (times.get(partNumber) ?? 0) + 1)
      if (partNumber >= until) kill(child.pid)
      return undefined
    })
    t.teardown(() => kill(child.pid))
    const [out, errors] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    return { out, errors }
  }
  for (const until of kills) {
    const { out } = await run(until, false)
    t.equal(out, '', `killed at part ${until}`)
  }
  const { out, errors } = await run(Infinity, true)
  const { result, resumed, limits, peak } = JSON.parse(out) as EndlessReport
  const parts = partsOf(sizes, size)
  t.match(result, { size, parts, resumed: true, verified: 'crc64' })
  t.equal(errors, `crc64 ${result.crc64}\n`, 'the bytes of the source')
  t.same(
    resumed.map(({ growth }) => growth),
    [sizes.growth],
  )
  // One part may be on its way for long, while those after it are stored.
  const offset = resumed[0]?.offset ?? 0
  const [before = 0] = kills
  t.ok(offset >= offsetAt(sizes, before), `from ${offset} on`)
  t.equal(limits.length, parts > 5000 ? 1 : 0)
  t.equal(times.size, parts)
  const twice = [...times.values()].filter((count) => count > 1).length
  const inFlight = kills.map((part) => held / partSizeAt(sizes, part))
  const most = inFlight.reduce((sum, parts) => sum + parts)
  t.ok(twice <= most, `${twice} parts were sent twice`)
  t.comment(`${Math.round(peak / MiB)} MiB resident`)
  t.ok(peak < memory + more, `${Math.round(peak / MiB)} MiB resident`)
}

/** The shell and both ends of its pipe. */
function kill(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    const isGone =
      error instanceof Error && 'code' in error && error.code === 'ESRCH'
    if (!isGone) throw error
  }
}
