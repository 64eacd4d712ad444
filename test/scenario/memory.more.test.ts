import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t from 'tap'
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
