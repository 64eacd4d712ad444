/**
 * Reads a file block by block with `fs.read` into buffers that are used again;
 * hashed, if that is wanted, a part at a time.
 */
import { open } from 'node:fs/promises'
import { loadXxh64 } from '../modules/hash/xxh64.js'

const partSize = 8 * 1024 * 1024

export async function createClient({
  block = partSize,
  hash: isHashed = false,
}) {
  const xxh64 = await loadXxh64()
  const buffers = Array.from({ length: 4 }, () => Buffer.alloc(block))
  return {
    async run({ path, size }) {
      const handle = await open(path)
      let hash = xxh64.create()
      for (let at = 0, n = 0; at < size; at += block, n++) {
        const buffer = buffers[n % buffers.length]
        const { bytesRead } = await handle.read(buffer, 0, block, at)
        if (!isHashed) continue
        hash.update(buffer.subarray(0, bytesRead))
        if ((at + block) % partSize !== 0) continue
        hash.digest()
        hash = xxh64.create()
      }
      await handle.close()
    },
  }
}
