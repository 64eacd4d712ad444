/** A body that moves is never given up, however slowly and in whatever pieces. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { attempts, upload } from '../support/attempts.js'
import { scriptedServer } from '../support/scripted-server.js'

const MiB = 1024 * 1024

for (const scheme of ['http', 'https'] as const) {
  await t.test(`${scheme}: one view that moves for long`, async (t) => {
    const read = (name: string) =>
      readFileSync(
        new URL(`../fixtures/tls/${name}.pem`, import.meta.url),
        'utf8',
      )
    const cert = read('cert')
    const isTls = scheme === 'https'
    const server = await scriptedServer(t, {
      tls: isTls ? { cert, key: read('key') } : undefined,
      steps: [
        async ({ request, response }) => {
          // A system tells of room in steps of a third of its buffer.
          const reading = setInterval(() => request.read(16_384), 5)
          await once(request, 'end').finally(() => clearInterval(reading))
          response.end()
        },
      ],
    })
    const send = attempts(t, {
      origin: server.origin,
      timeouts: { stall: 2000 },
      ...(isTls ? { tls: { ca: cert } } : {}),
    })
    // More than the system's buffers hold, in one write.
    const bytes = Buffer.alloc(12 * MiB)
    t.equal((await send(upload(bytes, bytes.length))).status, 200)
  })
}
