/**
 * Sources that ended early in one run, and go on in another: nothing that was
 * stored is lost by it, and nothing is shifted.
 */
import t from 'tap'
import type { UploadStreamOptions } from '../../lib/index.js'
import { noise } from '../support/dev-store.js'
import {
  failureOf,
  key,
  part,
  send,
  smallUploads,
  type SmallUploads,
} from '../support/small-upload.js'

type Options = Partial<UploadStreamOptions>

const vetoed: Options = {
  beforeComplete: () => {
    throw new Error('pg_dump exited with 1')
  },
}

/** A run that enters the source where the stored parts end. */
async function enter(dev: SmallUploads, bytes: Buffer, options: Options = {}) {
  const upload = dev.upload({ sourceId: 'dump 1', ...options })
  const offset = await upload.skipUploaded()
  await send(upload, bytes.subarray(offset)).catch(() => undefined)
  return { upload, offset }
}

const bytes = noise(5 * part)

await t.test('a short last part behind which bytes come', async (t) => {
  const ends: [string, number, number][] = [
    ['in part 3', 2 * part + 500, 2 * part],
    ['one byte into part 2', part + 1, part],
    ['one byte before part 4', 3 * part - 1, 2 * part],
  ]
  for (const [name, end, next] of ends) {
    for (const sequential of [false, true]) {
      const dev = await smallUploads(t)
      const options = { sourceId: 'dump 1', sequential }
      await dev.fail(bytes.subarray(0, end), { ...options, ...vetoed })
      const before = dev.server.requests.length
      const grown = await enter(dev, bytes, { sequential })
      t.equal(grown.offset, end, name)
      t.match(await failureOf(grown.upload), {
        code: 'PAWL_SOURCE_CHANGED',
        // What a sequential upload has of it cannot be replaced.
        resumable: !sequential,
        transient: true,
        partNumber: Math.ceil(end / part),
        offset: end,
      })
      t.same(dev.partsSince(before), [], 'no byte is sent to a wrong place')
      const again = await enter(dev, bytes, { sequential })
      // A part of a sequential upload cannot be sent again.
      const reused = sequential ? 0 : next
      t.equal(again.offset, reused, 'the short part is read again')
      const { size, partsReused, verified } = await again.upload.result
      t.match(
        { size, partsReused, verified },
        { size: 5 * part, partsReused: reused / part, verified: 'crc64' },
      )
      t.ok(bytes.equals(await dev.object(key)), 'the object is the source')
    }
  }
})

await t.test(
  'a short last part with nothing behind it completes',
  async (t) => {
    const dev = await smallUploads(t)
    const short = bytes.subarray(0, 2 * part + 500)
    await dev.fail(short, { sourceId: 'dump 1', ...vetoed })
    const { upload, offset } = await enter(dev, short)
    t.equal(offset, short.length)
    t.match(await upload.result, { parts: 3, partsReused: 3 })
    t.ok(short.equals(await dev.object(key)))
  },
)

await t.test('a source that grew after an unheard Complete', async (t) => {
  const dev = await smallUploads(t)
  const short = bytes.subarray(0, 2 * part + 500)
  dev.server.setFault(({ operation }) => {
    if (operation === 'CompleteMultipartUpload') return { kind: 'reply-lost' }
    return operation === 'HeadObject' ? { kind: 'refuse' } : undefined
  })
  await dev.fail(short, { sourceId: 'dump 1', retry: { attempts: 1 } })
  dev.server.setFault(undefined)
  const { upload, offset } = await enter(dev, bytes)
  t.equal(offset, short.length)
  t.match(await failureOf(upload), {
    code: 'PAWL_SOURCE_CHANGED',
    resumable: false,
    transient: true,
  })
  t.ok(short.equals(await dev.object(key)), 'the object is left as it was')
  t.same(dev.seen('AbortMultipartUpload'), [])
  await dev.run(bytes)
  t.ok(bytes.equals(await dev.object(key)), 'the next run replaces it')
})

/** What five parts are cut off to, and how many of them stay as they were. */
const truncated: [string, number, number][] = [
  ['nothing', 0, 5],
  ['less than a part', 10, 5],
  ['whole parts', 2 * part, 5],
  ['a short part', 2 * part + 500, 4],
]

await t.test('a veto keeps what is stored, however short', async (t) => {
  for (const [name, size, kept] of truncated) {
    const dev = await smallUploads(t)
    await dev.fail(bytes, vetoed)
    const before = dev.server.requests.length
    const error = await dev.fail(bytes.subarray(0, size), vetoed)
    const told = { resumable: true, transient: false }
    t.match(error, { code: 'PAWL_BEFORE_COMPLETE', ...told }, name)
    const asked = dev.server.requests.slice(before)
    t.notOk(asked.some(({ operation }) => operation.startsWith('Abort')))
    const result = await dev.run(bytes)
    t.equal(result.partsReused, kept, name)
    t.ok(bytes.equals(await dev.object(key)))
  }
})

await t.test('a veto keeps the claim on a finished object', async (t) => {
  for (const [name, size] of truncated) {
    const dev = await smallUploads(t)
    dev.server.setFault(({ operation }) => {
      if (operation === 'CompleteMultipartUpload') return { kind: 'reply-lost' }
      return operation === 'HeadObject' ? { kind: 'refuse' } : undefined
    })
    await dev.fail(bytes, { retry: { attempts: 1 } })
    dev.server.setFault(undefined)
    const error = await dev.fail(bytes.subarray(0, size), vetoed)
    const told = { resumable: true, transient: false }
    t.match(error, { code: 'PAWL_BEFORE_COMPLETE', ...told }, name)
    const before = dev.server.requests.length
    t.match(await dev.run(bytes), { partsReused: 5, resumed: true }, name)
    t.same(dev.partsSince(before), [], 'the object is claimed')
  }
})

await t.test('the old upload is aborted after the PutObject', async (t) => {
  const dev = await smallUploads(t)
  await dev.fail(bytes, vetoed)
  const before = dev.server.requests.length
  const refused = { kind: 'status', status: 403, code: 'AccessDenied' } as const
  dev.server.setFault(({ operation }) =>
    operation === 'PutObject' ? refused : undefined,
  )
  await dev.fail(bytes.subarray(0, 10))
  t.equal(dev.server.openUploads().length, 1, 'kept while there is no object')
  dev.server.setFault(undefined)
  const result = await dev.run(bytes.subarray(0, 10))
  t.match(result, { size: 10, resumed: false, uploadId: undefined })
  const writes = new Set<string>(['PutObject', 'AbortMultipartUpload'])
  const order = dev.server.requests
    .slice(before)
    .map(({ operation }) => operation)
    .filter((operation) => writes.has(operation))
  t.same(order, ['PutObject', 'PutObject', 'AbortMultipartUpload'])
  t.same(dev.server.openUploads(), [])
  t.notOk(dev.logExists())
})

await t.test("onSourceChange 'fail' holds for a short source", async (t) => {
  for (const size of [0, 10]) {
    const dev = await smallUploads(t)
    await dev.fail(bytes, vetoed)
    const error = await dev.fail(bytes.subarray(0, size), {
      onSourceChange: 'fail',
    })
    t.match(error, { code: 'PAWL_SOURCE_CHANGED', partNumber: 1 })
    t.same(dev.seen('PutObject'), [])
    t.equal((await dev.run(bytes)).partsReused, 5)
  }
})
