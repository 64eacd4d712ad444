/**
 * The floor of every stream: `fs.createReadStream`, nothing done with it; or hashed,
 * or copied too, in a process that has loaded pawl.
 */
import { createReadStream } from 'node:fs'
import { once } from 'node:events'
import { loadXxh64 } from '../modules/hash/xxh64.js'

const partSize = 8 * 1024 * 1024

export async function createClient({
  chunk,
  hash: isHashed = false,
  copy: isCopied = false,
}) {
  const xxh64 = await loadXxh64()
  const buffer = isCopied ? Buffer.from(new SharedArrayBuffer(partSize)) : null
  if (isCopied) await import('../../dist/index.js')
  return {
    async run({ path }) {
      const source = createReadStream(path, { highWaterMark: chunk })
      let hash = xxh64.create()
      let filled = 0
      source.on('data', (bytes) => {
        if (!isHashed) return
        hash.update(bytes)
        buffer?.set(bytes.subarray(0, partSize - filled), filled)
        filled += bytes.length
        if (filled < partSize) return
        hash.digest()
        hash = xxh64.create()
        filled = 0
      })
      await once(source, 'end')
    },
  }
}
