/** PUT of parts that are in memory already, by plain undici: the floor of sending. */
import { Client } from 'undici'

const ringBytes = 64 * 1024 * 1024

export async function createClient({
  port,
  partSize = 8 * 1024 * 1024,
  concurrency = 4,
}) {
  const origin = `http://127.0.0.1:${port}`
  // More memory than a processor's cache holds, as the parts of a file are.
  const count = Math.max(concurrency + 1, Math.ceil(ringBytes / partSize))
  const parts = Array.from({ length: count }, () =>
    Buffer.alloc(partSize, 'pawl'),
  )
  const clients = Array.from(
    { length: concurrency },
    () => new Client(origin, { pipelining: 1 }),
  )
  return {
    async run({ size, key }) {
      let next = 0
      await Promise.all(
        clients.map(async (client) => {
          while (next < size) {
            const part = parts[(next / partSize) % count]
            next += partSize
            const { statusCode, body } = await client.request({
              method: 'PUT',
              path: `/bench/${key}`,
              body: part,
            })
            await body.dump()
            if (statusCode !== 200) throw new Error(`status ${statusCode}`)
          }
        }),
      )
    },
    end: () => Promise.all(clients.map((client) => client.close())),
  }
}
