import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t from 'tap'
import type { BatchesJob, BatchesReport } from '../fixtures/batches-child.js'
import { bareNode } from '../support/bare-node.js'
import { compiledFixture } from '../support/compiled.js'
import { devStore } from '../support/dev-store.js'

const MiB = 1024 * 1024

/**
 * Later lines of Node take more from the start (`import 'pawl'` alone: 14 MiB more
 * on 26 than on 20), and give what is young more room.
 */
const isLater = Number(process.versions.node.split('.')[0]) > 20
const more = isLater ? 60 * MiB : 0

/** Buffers are 40 MiB, what they come to with Node, undici and garbage 100 to 150. */
for (const [name, size, views, bytesPerSecond, least] of [
  ['2 GiB in 64 KiB chunks', 2048 * MiB, 0, 160 * MiB, 200 * MiB],
  ['64-byte views of 16 KiB buffers', 96 * MiB, 256, 16 * MiB, 200 * MiB],
  // 3 GiB of buffers of which one view each is written: what the source leaves
  // for the collector counts too, what were kept alive would be all of it.
  ['one view of each 16 KiB buffer', 12 * MiB, 1, 8 * MiB, 256 * MiB],
] as const) {
  const bound = least + more
  await t.test(`${name}: memory stays under ${bound / MiB} MiB`, async (t) => {
    const dev = await devStore(t, {
      discard: true,
      digests: 'crc64',
      bytesPerSecond,
    })
    const job = { endpoint: dev.server.endpoint, size, views }
    const main = compiledFixture('memory-child')
    const child = spawn(...bareNode(main, JSON.stringify(job)), {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [output, [code]] = await Promise.all([
      text(child.stdout),
      once(child, 'close'),
    ])
    t.equal(code, 0)
    const found = JSON.parse(output) as { peak: number; size: number }
    t.equal(found.size, size)
    t.comment(`${(found.peak / MiB).toFixed(0)} MiB resident`)
    t.ok(
      found.peak < bound,
      `${(found.peak / MiB).toFixed(0)} MiB resident at the most`,
    )
  })
}

/** Parts of 8 MiB, four in flight and one being filled. */
const mostOfParts = 20 * 5 * 8 * MiB

/**
 * Of uploads again and again, beside V8's heap, and in it without garbage: how large
 * V8 lets garbage become is its own business. The third batch has met what every
 * upload needs; the fifth that may come on top is what V8 compiles, and what the
 * allocator cannot use again. Without the pool it was four to eight times as much.
 */
const mostGrowth = 1.2

for (const [name, kind, size] of [
  ['files of 12.6 MB', 'file', 12_600_000],
  ['streams of 8 MB', 'stream', 8_000_000],
  ['streams of one byte', 'stream', 1],
] as const) {
  await t.test(
    `${name}, 20 at once: the fifteenth batch takes no more than the third`,
    async (t) => {
      const dev = await devStore(t, { discard: true, digests: 'crc64' })
      const job: BatchesJob = {
        endpoint: dev.server.endpoint,
        directory: dev.directory,
        kind,
        size,
        batches: 15,
        atOnce: 20,
        looksAfter: [3, 15],
        // Parts are let go: what is left is less than those of two uploads.
        restsAt: 200 * MiB + more,
      }
      const main = compiledFixture('batches-child')
      const child = spawn(...bareNode(main, JSON.stringify(job)), {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [output, [code]] = await Promise.all([
        text(child.stdout),
        once(child, 'close'),
      ])
      t.equal(code, 0)
      const { before, curve, live, rested } = JSON.parse(
        output,
      ) as BatchesReport
      const mib = (bytes = 0): string => `${Math.round(bytes / MiB)} MiB`
      const resident = curve.map((batch) => batch.resident)
      const beside = curve.map(({ resident: all, heap }) => all - heap)
      t.comment(
        `${mib(before)} before, ${resident.map(mib).join(', ')}, ${mib(rested)} at rest; beside the heap ${beside.map(mib).join(', ')}; in use ${live.map(mib).join(', ')}`,
      )
      // While V8 compiles, it takes tens of MiB for a moment.
      const least = Math.min(...beside.slice(2))
      for (const [early = 0, late = Infinity] of [[least, beside[14]], live]) {
        t.ok(late <= mostGrowth * early, `${mib(early)}, then ${mib(late)}`)
      }
      t.ok(Math.max(...resident) < before + mostOfParts)
    },
  )
}
