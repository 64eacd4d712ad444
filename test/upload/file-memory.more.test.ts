import { spawn } from 'node:child_process'
import { stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import type {
  LargeFileJob,
  LargeFileReport,
} from '../fixtures/large-file-child.js'
import { uploadFile } from '../../lib/index.js'
import { heldAtOnce } from '../../lib/upload/options/part-sizes.js'
import { viewsOf } from '../../lib/upload/source/file-parts.js'
import { bareNode } from '../support/bare-node.js'
import { compiledFixture } from '../support/compiled.js'
import { devStore, noise, smallPart } from '../support/dev-store.js'
import { sized, tier } from '../support/tier.js'

const MiB = 1024 * 1024
const GiB = 1024 * MiB

await t.test('parts that are held fit into the memory', async (t) => {
  const rows: [
    partSize: number,
    memory: number,
    concurrency: number,
    whenFixed: number,
    otherwise: number,
  ][] = [
    [8 * MiB, 96 * MiB, 4, 4, 4],
    [24 * MiB, 96 * MiB, 4, 4, 4],
    [24 * MiB + 1, 96 * MiB, 4, 0, 3],
    [48 * MiB, 96 * MiB, 4, 0, 2],
    [48 * MiB + 1, 96 * MiB, 4, 0, 0],
    [96 * MiB, 96 * MiB, 1, 1, 1],
    [96 * MiB + 1, 96 * MiB, 1, 0, 0],
    [8 * MiB, 8 * MiB, 4, 0, 0],
    [0, 1, 1, 1, 1],
    [5 * GiB, 96 * MiB, 4, 0, 0],
  ]
  for (const [size, memory, concurrency, whenFixed, otherwise] of rows) {
    for (const [isConcurrencyFixed, held] of [
      [true, whenFixed],
      [false, otherwise],
    ] as const) {
      const share = { memory, concurrency, isConcurrencyFixed }
      t.equal(
        heldAtOnce(size, share),
        held,
        `${size} bytes, ${concurrency} in ${memory}`,
      )
    }
  }
})

await t.test('views are never more than 32 MiB', async (t) => {
  const rows: [concurrency: number, count: number, size: number][] = [
    [1, 2, MiB],
    [2, 1, MiB],
    [9, 1, MiB],
    [32, 1, MiB],
    [33, 1, 256 * 1024],
    [129, 1, 64 * 1024],
    [256, 1, 64 * 1024],
  ]
  for (const [concurrency, count, size] of rows) {
    t.same(viewsOf(concurrency), { count, size }, `${concurrency} at once`)
  }
  const later: typeof rows = [
    [1, 2, 4 * MiB],
    [2, 1, 4 * MiB],
    [4, 1, 4 * MiB],
    [5, 1, MiB],
    [32, 1, MiB],
    [33, 1, 256 * 1024],
  ]
  for (const [concurrency, count, size] of later) {
    const views = viewsOf(concurrency, true)
    t.same(views, { count, size }, `${concurrency} at once, of a long file`)
  }
})

const [fileSize, partSize] = sized({
  fast: [256 * MiB, 128 * MiB],
  more: [2 * GiB, GiB],
  // Takes ten minutes.
  long: [100 * GiB, 5 * GiB],
})
if (tier === 'long') t.setTimeout(2 * 60 * 60 * 1000)

const path = compiledFixture('large-file-child')

/** Runs the job in a process of its own. */
async function report(job: LargeFileJob): Promise<LargeFileReport> {
  const child = spawn(...bareNode(path, JSON.stringify(job)), {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse(await text(child.stdout)) as LargeFileReport
}

await t.test('memory does not grow with the parts', async (t) => {
  const { server, directory } = await devStore(t, {
    discard: true,
    digests: 'none',
  })
  const warmUp = join(directory, 'warm')
  const file = join(directory, 'large')
  await writeFile(warmUp, noise(smallPart))
  await writeFile(file, '')
  await truncate(file, fileSize)
  const { endpoint } = server
  const seen = await report({ endpoint, warmUp, file, partSize })
  t.match(seen, { size: fileSize, parts: fileSize / partSize })
  t.comment(
    `${Math.round(seen.before / MiB)} MiB before, ${Math.round(seen.most / MiB)} MiB at most`,
  )
  // What the README promises beside what Node itself takes.
  t.ok(seen.most < seen.before + 64 * MiB)
})

await t.test(
  'the kernel counts no more than the missing part when 99 % is stored',
  { skip: process.platform !== 'linux' && 'only Linux has /proc/self/io' },
  async (t) => {
    const { server, store, directory } = await devStore(t, { discard: true })
    const { endpoint } = server
    const warmUp = join(directory, 'warm')
    const checkpoint = join(directory, 'log.pawl')
    await writeFile(warmUp, noise(smallPart))
    // A large file that nobody has written to just now.
    const file = process.execPath
    const { size } = await stat(file)
    const partSize = MiB
    const parts = Math.ceil(size / partSize)
    const missing = 57
    const stop = new AbortController()
    let stored = 0
    server.setFault(({ partNumber }) =>
      partNumber === missing ? { kind: 'stall' } : undefined,
    )
    await t.rejects(
      uploadFile(file, {
        store,
        key: 'large',
        checkpoint,
        partSize,
        signal: stop.signal,
        on: { part: () => ++stored === parts - 1 && stop.abort() },
      }),
      { code: 'PAWL_SUSPENDED' },
    )
    server.setFault(undefined)
    const before = server.requests.length
    const seen = await report({ endpoint, warmUp, file, partSize, checkpoint })
    t.match(seen, { size, parts, partsReused: parts - 1 })
    t.same(
      server.requests
        .slice(before)
        .filter(({ key }) => key === 'large')
        .flatMap(({ partNumber = [] }) => partNumber),
      [missing],
    )
    t.comment(`${seen.read} bytes were read for ${partSize} of ${size}`)
    t.ok(seen.read >= partSize)
    // Besides the part there are the log, and the answers of the server.
    t.ok(seen.read < partSize + MiB / 2)
  },
)
