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
 * What the README says of uploads again and again. The third batch has met what
 * every upload needs; the fifth that may come on top is V8's: code that it compiles
 * and garbage that it has not collected, 5 to 25 MiB of 120 to 300. Without the pool
 * it was four to eight times as much.
 */
const mostGrowth = 1.2

for (const [name, kind, size] of [
  ['files of 12.6 MB', 'file', 12_600_000],
  ['streams of 8 MB', 'stream', 8_000_000],
  ['streams of one byte', 'stream', 1],
] as const) {
  await t.test(
    `${name}, 20 at once: the fifteenth batch takes what the third took`,
    async (t) => {
      const dev = await devStore(t, { discard: true, digests: 'crc64' })
      const job: BatchesJob = {
        endpoint: dev.server.endpoint,
        directory: dev.directory,
        kind,
        size,
        batches: 15,
        atOnce: 20,
        // Parts are let go: what is left is less than those of two uploads.
        restsAt: 200 * MiB + more,
      }
      const main = compiledFixture('batches-child')
      // V8's young heap has its size from the start: what grows is not that.
      const young = '--min-semi-space-size=16'
      const child = spawn(...bareNode(young, main, JSON.stringify(job)), {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [output, [code]] = await Promise.all([
        text(child.stdout),
        once(child, 'close'),
      ])
      t.equal(code, 0)
      const { before, curve, rested } = JSON.parse(output) as BatchesReport
      const mib = (bytes = 0): string => `${Math.round(bytes / MiB)} MiB`
      t.comment(
        `${mib(before)} before, ${curve.map(mib).join(', ')}, ${mib(rested)} at rest`,
      )
      const [third = 0, last = Infinity] = [curve[2], curve[14]]
      t.ok(last <= mostGrowth * third, `${mib(third)}, then ${mib(last)}`)
      t.ok(Math.max(...curve) < before + mostOfParts)
    },
  )
}
