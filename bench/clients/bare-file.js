/**
 * The job of `uploadFile` with nothing around it: `fs.read`, xxh64, undici PUT,
 * each part in views of 4 MiB. No retries, no log, no checks, no time-outs; the hash
 * can be left out.
 */
import { open } from 'node:fs/promises'
import { Client } from 'undici'
import { loadXxh64 } from '../modules/hash/xxh64.js'

const MiB = 1024 * 1024
const partSize = 8 * MiB
const viewSize = 4 * MiB
const concurrency = 4

export async function createClient({ port, origin: given, isHashed = true }) {
  const origin = given ?? `http://127.0.0.1:${port}`
  const xxh64 = await loadXxh64()
  const lanes = Array.from({ length: concurrency }, () => ({
    client: new Client(origin, { pipelining: 1 }),
    memory: Buffer.alloc(viewSize),
  }))
  return {
    async run({ path, size, key }) {
      const handle = await open(path)
      let next = 0
      await Promise.all(
        lanes.map(async ({ client, memory }) => {
          while (next < size) {
            const start = next
            const end = Math.min(size, start + partSize)
            next = end
            /** @type {any} undici takes any iterable; its types name streams. */
            const part = views(handle, memory, start, end)
            const { statusCode, body } = await client.request({
              method: 'PUT',
              path: `/bench/${key}`,
              headers: { 'content-length': String(end - start) },
              body: part,
            })
            await body.dump()
            if (statusCode !== 200) throw new Error(`status ${statusCode}`)
          }
        }),
      )
      await handle.close()
    },
    end: () => Promise.all(lanes.map(({ client }) => client.close())),
  }

  async function* views(handle, memory, start, end) {
    const hash = xxh64.create()
    for (let at = start; at < end; at += viewSize) {
      const view = memory.subarray(0, Math.min(viewSize, end - at))
      await handle.read(view, 0, view.length, at)
      if (isHashed) hash.update(view)
      yield view
    }
    hash.digest()
  }
}
