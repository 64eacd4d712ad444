/**
 * What is uploaded: files that repeat one block of 64 MiB, half as large when
 * compressed, in a directory that goes again at the end. The page cache holds
 * them, so that no disk is measured.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processDigests } from '../modules/hash/digest.js'

const MiB = 1024 * 1024
export const period = 64 * MiB

/** Half of the bytes are random, half are not; the same in every run. */
export function makeBlock() {
  const block = Buffer.alloc(period, 'a pawl lets a ratchet turn one way. ')
  const noise = Buffer.concat(
    Array.from({ length: 32 }, (_, i) =>
      createHash('sha256').update(`noise ${i}`).digest(),
    ),
  )
  for (let at = 0; at < period; at += 4096) {
    const digest = createHash('sha1').update(`${at}`).digest()
    for (let i = 0; i < 2048; i++) {
      block[at + i] = noise[i & 1023] ^ digest[i % 20] ^ (i >> 3)
    }
  }
  return block
}

export async function createInput() {
  const directory = await mkdtemp(join(tmpdir(), 'pawl-bench-'))
  const block = makeBlock()
  const files = new Map()
  return {
    directory,
    block,
    /** A file of `size` bytes: `{ path, size }`. */
    async file(size) {
      let file = files.get(size)
      if (file === undefined) {
        file = { path: join(directory, `${size}.bin`), size }
        const handle = await open(file.path, 'w')
        for (let left = size; left > 0; left -= period) {
          await handle.write(block, 0, Math.min(left, period))
        }
        // Dirty pages would be written back in the middle of a run.
        await handle.sync()
        await handle.close()
        files.set(size, file)
      }
      return file
    },
    /** CRC-64s of the parts of one period, by part size. */
    async crc64Table(partSizes) {
      const rows = partSizes.map(async (partSize) => {
        const values = []
        for (let at = 0; at < period; at += partSize) {
          const part = block.subarray(at, at + partSize)
          values.push(await processDigests.here('crc64ecma', part))
        }
        return [partSize, values]
      })
      return Object.fromEntries(await Promise.all(rows))
    },
    remove: () => rm(directory, { recursive: true }),
  }
}
