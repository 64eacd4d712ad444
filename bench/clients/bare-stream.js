/**
 * The whole job with nothing around it: read, copy into reused part buffers,
 * xxh64, undici PUT. No retries, no log, no checks, no time-outs.
 */
import { createReadStream } from 'node:fs'
import { Client } from 'undici'
import { loadXxh64 } from '../modules/hash/xxh64.js'

const partSize = 8 * 1024 * 1024
const block = 128 * 1024
const concurrency = 4

export async function createClient({ port }) {
  const origin = `http://127.0.0.1:${port}`
  const xxh64 = await loadXxh64()
  const lanes = Array.from({ length: concurrency }, () => ({
    client: new Client(origin, { pipelining: 1 }),
  }))
  const buffers = Array.from({ length: concurrency + 1 }, () =>
    Buffer.alloc(partSize),
  )
  async function put(lane, part, key) {
    const { body } = await lane.client.request({
      method: 'PUT',
      path: `/bench/${key}`,
      body: part,
    })
    await body.dump()
  }
  return {
    async run({ path, key }) {
      const free = [...buffers]
      const idle = [...lanes]
      const running = new Set()
      let buffer = free.pop()
      let filled = 0
      let hashed = 0
      let hash = xxh64.create()
      async function send() {
        hash.update(buffer.subarray(hashed, filled))
        hash.digest()
        hash = xxh64.create()
        const part = buffer
        const lane = idle.pop()
        const task = put(lane, part.subarray(0, filled), key).then(() => {
          free.push(part)
          idle.push(lane)
          running.delete(task)
        })
        running.add(task)
        filled = 0
        hashed = 0
        while (free.length === 0 || idle.length === 0) {
          await Promise.race(running)
        }
        buffer = free.pop()
      }
      for await (const chunk of createReadStream(path)) {
        buffer.set(chunk, filled)
        filled += chunk.length
        if (filled - hashed >= block) {
          hash.update(buffer.subarray(hashed, filled))
          hashed = filled
        }
        if (filled === partSize) await send()
      }
      if (filled > 0) await send()
      await Promise.all(running)
    },
    end: () => Promise.all(lanes.map(({ client }) => client.close())),
  }
}
