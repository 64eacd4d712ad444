/**
 * One object by several processes, some of them killed and one paused: one
 * Complete, and nothing that was stored is sent a second time.
 */
import t from 'tap'
import type { PartReceipt } from '../../lib/shared/index.js'
import type { PartsChildJob } from '../fixtures/parts-child.js'
import { compiledFixture } from '../support/compiled.js'
import { key, partSize, sharedUpload } from '../support/shared-upload.js'
import { sized } from '../support/tier.js'
import { startChild, type UploadChild } from '../support/upload-child.js'

const { parts, machines, kills } = sized({
  fast: { parts: 60, machines: 3, kills: 1 },
  more: { parts: 10_000, machines: 8, kills: 3 },
  long: { parts: 10_000, machines: 8, kills: 3 },
})
/** Parts in flight of each machine, which a kill may lose the answers of. */
const concurrency = 2

await t.test(`${parts} parts by ${machines} machines`, async (t) => {
  const size = (parts - 1) * partSize + 1
  const s = await sharedUpload(t, { size })
  const ticket = await s.begin()
  t.equal(ticket.parts, parts)
  const each = Math.ceil(parts / machines)
  const ranges = Array.from({ length: machines }, (_, i) => {
    const last = Math.min(parts, (i + 1) * each)
    return [i * each + 1, last] as [first: number, last: number]
  })
  const start = (range: [number, number]): UploadChild => {
    const { endpoint } = s.server
    const job: PartsChildJob = {
      endpoint,
      ticket,
      path: s.path,
      parts: range,
      concurrency,
    }
    return startChild(compiledFixture('parts-child'), job)
  }
  // No machine of these gets farther than the middle of its range.
  const stuck = ranges.slice(0, 1 + kills)
  s.server.setFault(({ operation, partNumber = 0 }) => {
    const range = stuck.find(
      ([first, last]) => partNumber >= first && partNumber <= last,
    )
    const isBehind = partNumber > (range?.[0] ?? parts) + each / 4
    return operation === 'UploadPart' && isBehind
      ? { kind: 'refuse' }
      : undefined
  })
  const begun = ranges.map((range) => ({ range, child: start(range) }))
  const [paused, ...others] = begun
  if (paused === undefined) throw new Error('there are machines')
  const killed = others.slice(0, kills)
  await Promise.all(
    [paused, ...killed].map(({ range: [first], child }) =>
      child.hearsThat(
        ({ partNumber }) => Number(partNumber) >= first + each / 5,
      ),
    ),
  )
  paused.child.pause()
  for (const { child } of killed) child.kill()
  for (const { child } of killed) {
    t.equal((await child.ended).signal, 'SIGKILL')
  }
  s.server.setFault(undefined)
  const instead = [paused, ...killed].map(({ range }) => start(range))
  const working = [...instead, ...others.slice(kills).map((one) => one.child)]
  const receipts: PartReceipt[] = []
  for (const child of working) {
    const said = await child.hears('receipts')
    receipts.push(...((said?.['receipts'] ?? []) as PartReceipt[]))
    await child.ended
  }
  t.equal(receipts.length, parts)
  const sent = s.seen('UploadPart').filter((one) => one.applied).length
  const inFlight = (kills + 1) * concurrency
  t.ok(sent <= parts + inFlight, `${sent} PUTs for ${parts} parts`)
  const result = await s.complete(ticket, receipts)
  t.equal(result.parts, parts)
  t.ok(s.bytes.equals(await s.object(key)), 'the object is the source')

  paused.child.wake()
  const end = await paused.child.hears('failed', 'receipts')
  t.match(end, { event: 'failed', code: 'PAWL_UPLOAD_GONE' })
  await paused.child.ended
  t.equal(s.seen('CompleteMultipartUpload').length, 1)
  t.equal(s.seen('CreateMultipartUpload').length, 1)
  t.ok(s.bytes.equals(await s.object(key)), 'and stays it')
})
