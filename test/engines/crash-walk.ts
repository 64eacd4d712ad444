/**
 * One object by several machines, with its log on each engine: whoever begins or
 * completes it dies or stops at each of its records. What workers meet needs no
 * engine: `test/shared/crashes.test.ts`.
 */
import t from 'tap'
import type { Ticket } from '../../lib/shared/index.js'
import { besideEachOther } from '../support/beside.js'
import { noise } from '../support/dev-store.js'
import { failureIn, key } from '../support/shared-upload.js'
import { engineNames, startWalks } from './support/shared-walk.js'

const walkOn = await startWalks(t)
const test = besideEachOther(t, 4)

for (const engine of engineNames) {
  for (const record of ['intent', 'upload']) {
    test(`${engine}: who begins dies behind ${record}`, async (t) => {
      const { s, machine, call } = await walkOn(t, engine)
      const first = machine([record])
      await first.stopped()
      await first.kill()
      const begin = () => call((checkpoint) => s.begin({ checkpoint }))
      const ticket = await begin()
      t.same(await begin(), ticket, 'the same call, the same ticket')
      const initiated = s.seen('CreateMultipartUpload').length
      t.equal(initiated, 1, 'no upload is begun in vain')
      const receipts = await s.send(ticket)
      await call((checkpoint) => s.complete(ticket, receipts, { checkpoint }))
      t.ok(s.bytes.equals(await s.object(key)))
    })
  }

  for (const how of ['dies', 'is paused, and wakes'] as const) {
    for (const record of ['completing', 'done']) {
      const name = `${engine}: who completes ${how} behind ${record}`
      test(name, async (t) => {
        const { s, machine, call } = await walkOn(t, engine)
        const ticket: Ticket = await call((checkpoint) =>
          s.begin({ checkpoint }),
        )
        const receipts = await s.send(ticket)
        const first = machine([record], { ticket, receipts })
        await first.stopped()
        if (how === 'dies') await first.kill()
        const result = await call((checkpoint) =>
          s.complete(ticket, receipts, { checkpoint }),
        )
        t.equal(result.parts, 11)
        const { etag } = result
        if (how !== 'dies') {
          const woken = await first.wake()
          // What it has made is what it says; else the log is not its own any more.
          const said = woken.code ?? (woken.value as { etag: string }).etag
          t.ok(['PAWL_CHECKPOINT_LOST', etag].includes(said), said)
        }
        t.ok(s.bytes.equals(await s.object(key)), 'the object is the source')
        t.equal(s.seen('CompleteMultipartUpload').length, 1, 'one Complete')
        t.equal(s.seen('UploadPart').length, 11, 'no part is sent twice')
      })
    }
  }

  test(`${engine}: the word of a Complete is lost, and nobody heard it`, async (t) => {
    const { s, machine, call, losing } = await walkOn(t, engine)
    const ticket = await call((checkpoint) => s.begin({ checkpoint }))
    const receipts = await s.send(ticket)
    const lose = await losing()
    const first = machine(['done'], { ticket, receipts })
    await first.stopped()
    await first.kill()
    await lose()
    const result = await call((checkpoint) =>
      s.complete(ticket, receipts, { checkpoint }),
    )
    t.match(result, { parts: 11, uploadId: ticket.uploadId })
    t.equal(result.checkpointLeft, false)
    t.ok(s.bytes.equals(await s.object(key)))
    t.equal(s.seen('CompleteMultipartUpload').length, 1, 'it is claimed')
    t.equal(s.seen('UploadPart').length, 11, 'no part is sent again')
  })

  test(`${engine}: an old upload that may not be aborted is fenced by its lease`, async (t) => {
    const { s, machine, call } = await walkOn(t, engine)
    const old = await call((checkpoint) => s.begin({ checkpoint }))
    const receipts = await s.send(old)
    const first = machine(['completing'], { ticket: old, receipts })
    await first.stopped()
    s.server.setFault(({ operation }) =>
      operation === 'AbortMultipartUpload'
        ? { kind: 'status', status: 403, code: 'AccessDenied' }
        : undefined,
    )
    const sourceId = 'v2'
    const unfenced = call((checkpoint) => s.begin({ checkpoint, sourceId }))
    t.match(await failureIn(unfenced), {
      code: 'PAWL_UPLOAD_CONTENDED',
      transient: false,
      uploadId: old.uploadId,
    })
    const fenced = { fence: 'lease', timeout: { complete: 2000 } } as const
    const ticket = await call((checkpoint) =>
      s.begin({ checkpoint, sourceId, ...fenced }),
    )
    const bytes = noise(s.bytes.length, 99)
    const sent = await s.send(ticket, {
      sourceId,
      async *source(offset, size) {
        yield bytes.subarray(offset, offset + size)
      },
    })
    const result = await call((checkpoint) =>
      s.complete(ticket, sent, { checkpoint, ...fenced }),
    )
    t.equal(result.uploadId, ticket.uploadId)
    t.match(await first.wake(), { code: 'PAWL_CHECKPOINT_LOST' })
    t.ok(bytes.equals(await s.object(key)), 'the newer bytes stay')
  })
}
