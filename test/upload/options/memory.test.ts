/** How much of a stream is in memory at once. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  type MemorySettings,
  mustHaveRoom,
  roomFor,
} from '../../../lib/upload/options/part-sizes.js'
import {
  PartBuffers,
  together,
} from '../../../lib/upload/source/part-buffers.js'
import { createResumableUploadStream, uploadFile } from '../../../lib/index.js'
import { noise } from '../../support/dev-store.js'
import { part, smallUploads } from '../../support/small-upload.js'

const MiB = 1024 * 1024

function settings(
  memory: number | undefined,
  concurrency: number | undefined,
): MemorySettings {
  return {
    memory,
    concurrency: concurrency ?? 4,
    isConcurrencyFixed: concurrency !== undefined,
  }
}

await t.test('parts in hand at once', (t) => {
  const rows: [
    partSize: number,
    memory: number | undefined,
    concurrency: number | undefined,
    parts: number,
  ][] = [
    [8 * MiB, undefined, undefined, 5],
    [20 * MiB, undefined, undefined, 4],
    [32 * MiB, undefined, undefined, 3],
    [100 * MiB, undefined, undefined, 2],
    [8 * MiB, 24 * MiB, undefined, 3],
    [8 * MiB, 1, undefined, 2],
    [8 * MiB, 1024 * MiB, undefined, 5],
    // The caller's own number of parts in flight.
    [100 * MiB, undefined, 4, 5],
    [8 * MiB, undefined, 256, 257],
    [8 * MiB, 40 * MiB, 4, 5],
    // The log's parts are larger than those that were asked for.
    [16 * MiB, 40 * MiB, 4, 2],
  ]
  for (const [partSize, memory, concurrency, parts] of rows) {
    const room = roomFor(settings(memory, concurrency))
    const buffers = new PartBuffers(partSize, room, together())
    let found = 0
    while (buffers.tryAcquire() !== undefined) found++
    t.equal(found, parts, `${partSize} bytes, ${concurrency} in ${memory}`)
  }
  t.end()
})

await t.test('what cannot be is said', (t) => {
  const rows: [
    partSize: number,
    memory: number | undefined,
    concurrency: number | undefined,
    isPossible: boolean,
  ][] = [
    [8 * MiB, 40 * MiB, 4, true],
    [8 * MiB, 40 * MiB - 1, 4, false],
    [8 * MiB, 40 * MiB - 1, undefined, true],
    [8 * MiB, undefined, 256, true],
    // Two parts there always are.
    [8 * MiB, 1, 1, true],
    [8 * MiB, 1, 2, false],
  ]
  for (const [partSize, memory, concurrency, isPossible] of rows) {
    const check = (): void =>
      mustHaveRoom(partSize, settings(memory, concurrency))
    const name = `${partSize} bytes, ${concurrency} in ${memory}`
    if (isPossible) t.doesNotThrow(check, name)
    else t.throws(check, { code: 'PAWL_INVALID_OPTION' }, name)
  }
  t.end()
})

await t.test(
  'streams refuse it at once, files are read in views',
  async (t) => {
    const { small: store, directory } = await smallUploads(t)
    const options = { store, key: 'k', checkpoint: false as const }
    for (const [more, message] of [
      [{ concurrency: 4, memory: 39 * MiB }, /expected at least 41943040/],
      [{ memory: 0 }, /memory must be a whole number from 1/],
      [{ memory: 1.5 }, /memory must be a whole number from 1/],
      [{ memory: '96MiB' as never }, /memory must be a whole number from 1/],
    ] as const) {
      t.throws(() => createResumableUploadStream({ ...options, ...more }), {
        code: 'PAWL_INVALID_OPTION',
        message,
      })
    }
    const path = join(directory, 'source')
    await writeFile(path, noise(10 * part))
    await t.rejects(uploadFile(path, { ...options, memory: 0 }), {
      code: 'PAWL_INVALID_OPTION',
    })
    const one = { concurrency: 4, memory: 1, partSize: part }
    const { parts } = await uploadFile(path, { ...options, ...one })
    t.equal(parts, 10)
  },
)
