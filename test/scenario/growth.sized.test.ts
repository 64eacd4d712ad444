/**
 * Streams whose size nobody knows, whose parts grow: over the joint, up to the last
 * part, and gone on with from either side. With KiB for MiB, and fewer of them.
 */
import { copyFileSync, renameSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  offsetAt,
  type PartSizes,
  partsOf,
  roomIn,
} from '../../lib/checkpoint/growth.js'
import { readCheckpoint } from '../../lib/checkpoint/read-checkpoint.js'
import type { DevServerOptions } from '../../lib/dev-server/index.js'
import {
  uploadFile,
  type LimitEvent,
  type PartEvent,
  type ResumedEvent,
  type StoreLimits,
  type UploadStreamOptions,
} from '../../lib/index.js'
import {
  LearnedFacts,
  realUploadEnvironment,
} from '../../lib/upload/options/environment.js'
import { ResumableUploadStream } from '../../lib/upload/stream.js'
import { noise } from '../support/dev-store.js'
import { smallStore } from '../support/small-store.js'
import {
  failureOf,
  key,
  send,
  smallUploads,
  type SmallUploads,
} from '../support/small-upload.js'
import { sized } from '../support/tier.js'

const KiB = 1024
/** Real stores take 10,000, and parts grow behind the thousandth. */
const maxParts = sized({ fast: 60, more: 1000, long: 10_000 })
const joint = maxParts / 10 + 1
const sizes: PartSizes = {
  partSize: 8 * KiB,
  growth: [{ from: joint, partSize: 32 * KiB }],
}
const room = roomIn(sizes, maxParts)
const whole = noise(room)

type Options = Partial<UploadStreamOptions>

interface Growing extends SmallUploads {
  /** A stream as another process would make it, with parts that grow. */
  grow(options?: Options, usualSizes?: PartSizes): ResumableUploadStream
}

async function growing(
  t: Parameters<typeof smallUploads>[0],
  options: DevServerOptions = {},
  limits: Partial<StoreLimits> = {},
): Promise<Growing> {
  const dev = await smallUploads(t, options)
  const store = smallStore(dev.store, { maxParts, ...limits })
  return {
    ...dev,
    grow: (more = {}, usualSizes = sizes) =>
      new ResumableUploadStream(
        {
          store,
          key,
          checkpoint: dev.log,
          retry: { attempts: 5, baseDelay: 1, maxDelay: 2 },
          ...more,
        },
        { ...realUploadEnvironment, usualSizes, facts: new LearnedFacts() },
      ),
  }
}

/** Ends an upload, as a kill would, when so many parts are stored in it. */
async function stopAt(
  upload: ResumableUploadStream,
  bytes: Buffer,
  parts: number,
): Promise<void> {
  upload.on('part', ({ partNumber }: PartEvent) => {
    if (partNumber >= parts) upload.destroy()
  })
  await send(upload, bytes, 20_000).catch(() => undefined)
  await failureOf(upload)
}

await t.test('to the last part, stopped on either side', async (t) => {
  const dev = await growing(t)
  const sent: number[] = []
  const hear = (upload: ResumableUploadStream): ResumableUploadStream =>
    upload.on('part', ({ partNumber, reused }: PartEvent) => {
      if (!reused) sent.push(partNumber)
    })
  await stopAt(hear(dev.grow()), whole, joint - 2)
  await stopAt(hear(dev.grow()), whole, joint + 3)
  const summary = await readCheckpoint(dev.log)
  t.match(summary, { partSize: 8 * KiB, growth: sizes.growth })
  const contiguous = summary.bytesContiguous
  t.equal(contiguous, offsetAt(sizes, partsOf(sizes, contiguous) + 1))
  t.ok(contiguous > offsetAt(sizes, joint), `${contiguous} bytes`)
  const last = hear(dev.grow())
  const resumed: ResumedEvent[] = []
  const limits: LimitEvent[] = []
  last.on('resumed', (event) => resumed.push(event))
  last.on('limit', (event) => limits.push(event))
  await send(last, whole, 20_000)
  const result = await last.result
  t.match(result, { size: room, parts: maxParts, verified: 'crc64' })
  t.ok(result.partsReused >= joint + 1, `${result.partsReused} parts reused`)
  t.ok(whole.equals(await dev.object(key)))
  t.equal(new Set(sent).size, sent.length, 'no part is sent twice')
  t.match(resumed, [{ partSize: 8 * KiB, growth: sizes.growth }])
  t.strictSame(limits, [
    {
      bytesMost: room,
      bytesLeft: room - offsetAt(sizes, maxParts / 2 + 1),
    },
  ])
  t.notOk(dev.logExists())
})

await t.test('a byte more than there is room for', async (t) => {
  const dev = await growing(t, { discard: true, digests: 'crc64' })
  const longer = Buffer.concat([whole, Buffer.from('x')])
  const upload = dev.grow()
  let most: number | undefined
  upload.on('progress', ({ bytesMost }) => (most = bytesMost))
  await send(upload, longer, 100_000).catch(() => undefined)
  t.match(await failureOf(upload), {
    code: 'PAWL_TOO_MANY_PARTS',
    partNumber: maxParts + 1,
    offset: room,
    resumable: false,
    transient: false,
    message: new RegExp(`longer than ${room} bytes.* part ${joint} on`),
  })
  t.equal(most, room, 'said all along')
  t.same(dev.server.openUploads(), [])
  const known = dev.grow({ size: longer.length })
  known.on('limit', () => t.fail('its size is known'))
  await send(known, longer, 100_000)
  t.match(await known.result, { size: longer.length })
})

await t.test('half of the parts are told of, and no less', async (t) => {
  const dev = await growing(t, { discard: true, digests: 'crc64' })
  const half = offsetAt(sizes, maxParts / 2)
  for (const [size, told] of [
    [half, 0],
    [half + 1, 1],
  ] as const) {
    const upload = dev.grow()
    const limits: LimitEvent[] = []
    upload.on('limit', (event) => limits.push(event))
    await send(upload, whole.subarray(0, size), 100_000)
    t.equal(limits.length, told, `${size} bytes`)
  }
})

await t.test('a source is entered behind parts of both sizes', async (t) => {
  for (const at of [joint - 2, joint - 1, joint, joint + 2]) {
    const dev = await growing(t)
    const bytes = whole.subarray(0, offsetAt(sizes, joint + 8) + 77)
    const options = { sourceId: 'one', concurrency: 1 }
    await stopAt(dev.grow(options), bytes, at)
    const upload = dev.grow(options)
    const offset = await upload.skipUploaded()
    const stored = partsOf(sizes, offset)
    t.ok(stored >= at, `${stored} parts, ${at} at least`)
    t.equal(offset, offsetAt(sizes, stored + 1), 'the end of a part')
    const since = dev.server.requests.length
    await send(upload, bytes.subarray(offset), 20_000)
    const { parts, partsReused } = await upload.result
    t.strictSame([parts, partsReused], [joint + 8, stored])
    t.equal(dev.partsSince(since)[0], stored + 1)
    t.ok(bytes.equals(await dev.object(key)), `behind part ${stored}`)
  }
})

await t.test('whoever skips over the half is told of it', async (t) => {
  const dev = await growing(t)
  const options = { sourceId: 'one', concurrency: 1 }
  await stopAt(dev.grow(options), whole, maxParts / 2 + 3)
  const upload = dev.grow(options)
  const limits: LimitEvent[] = []
  upload.on('limit', (event) => limits.push(event))
  const offset = await upload.skipUploaded()
  t.strictSame(limits, [{ bytesMost: room, bytesLeft: room - offset }])
  await send(upload, whole.subarray(offset), 100_000)
  t.match(await upload.result, { size: room })
  t.equal(limits.length, 1)
})

await t.test('a changed byte costs its part, on either side', async (t) => {
  const dev = await growing(t)
  const bytes = Buffer.from(whole.subarray(0, offsetAt(sizes, joint + 6)))
  await stopAt(dev.grow({ concurrency: 1 }), bytes, joint + 4)
  for (const offset of [
    0,
    offsetAt(sizes, joint) - 1,
    offsetAt(sizes, joint),
    offsetAt(sizes, joint + 2) - 1,
  ]) {
    bytes[offset] = (bytes[offset] ?? 0) ^ 1
  }
  const upload = dev.grow()
  const again: number[] = []
  upload.on('part', ({ partNumber, reused }: PartEvent) => {
    if (!reused) again.push(partNumber)
  })
  await send(upload, bytes, 20_000)
  t.same(
    again.filter((number) => number <= joint + 3).toSorted((a, b) => a - b),
    [1, joint - 1, joint, joint + 1],
  )
  t.ok(bytes.equals(await dev.object(key)))
})

await t.test('an object that is there is proved over the joint', async (t) => {
  const dev = await growing(t)
  const bytes = whole.subarray(0, offsetAt(sizes, joint + 3) + 5)
  const before = join(dev.directory, 'before.pawl')
  dev.server.setFault(({ operation }) => {
    if (operation === 'CompleteMultipartUpload') copyFileSync(dev.log, before)
    return undefined
  })
  const upload = dev.grow()
  await send(upload, bytes, 20_000)
  await upload.result
  // As if the process had died before it heard of the object.
  renameSync(before, dev.log)
  const since = dev.server.requests.length
  const again = dev.grow()
  await send(again, bytes, 20_000)
  const { parts, partsReused } = await again.result
  t.strictSame([parts, partsReused], [joint + 3, joint + 3])
  t.same(dev.partsSince(since), [], 'nothing is sent')
})

await t.test('a file goes on with what a stream has begun', async (t) => {
  const dev = await growing(t)
  const bytes = whole.subarray(0, offsetAt(sizes, joint + 5) + 1)
  const object = { contentType: 'text/plain' }
  await stopAt(dev.grow({ object, concurrency: 1 }), bytes, joint + 2)
  const path = join(dev.directory, 'source')
  await writeFile(path, bytes)
  const result = await uploadFile(path, {
    store: smallStore(dev.store, { maxParts }),
    key,
    object,
    checkpoint: dev.log,
  })
  t.match(result, { parts: joint + 5, size: bytes.length })
  t.ok(bytes.equals(await dev.object(key)))
})

await t.test('a log goes on with its own sizes', async (t) => {
  const bytes = whole.subarray(0, offsetAt(sizes, joint + 8) + 1)
  const others: [name: string, options: Options, usual: PartSizes][] = [
    ['other sizes', {}, { partSize: 4 * KiB }],
    ['other steps', {}, { ...sizes, growth: [{ from: 2, partSize: 9 * KiB }] }],
    ['a part size that is given', { partSize: 16 * KiB }, sizes],
    ['the size of its first parts', { partSize: 8 * KiB }, sizes],
    ['the size of the source', { size: bytes.length }, sizes],
    ['little memory', { memory: 1 }, sizes],
  ]
  for (const [name, options, usual] of others) {
    const dev = await growing(t)
    await stopAt(dev.grow({ concurrency: 1 }), bytes, joint + 2)
    const upload = dev.grow(options, usual)
    const resumed: ResumedEvent[] = []
    upload.on('resumed', (event) => resumed.push(event))
    await send(upload, bytes, 20_000)
    const result = await upload.result
    t.match(result, { resumed: true, parts: joint + 8 }, name)
    t.ok(result.partsReused >= joint + 1, name)
    t.equal(resumed[0]?.partSizeAsked, options.partSize, name)
    t.ok(bytes.equals(await dev.object(key)), name)
  }
})

await t.test('sizes that the store does not take begin anew', async (t) => {
  const bytes = whole.subarray(0, offsetAt(sizes, joint + 4) + 1)
  const rows: [limits: Partial<StoreLimits>, reason: string, parts: number][] =
    [
      [
        { maxPartSize: 31 * KiB },
        'part-size',
        Math.ceil(bytes.length / (8 * KiB)),
      ],
      // As large as they would have become, so that there is as much room.
      [
        { equalParts: true },
        'equal-parts',
        Math.ceil(bytes.length / (32 * KiB)),
      ],
    ]
  for (const [limits, reason, parts] of rows) {
    const dev = await growing(t)
    await stopAt(dev.grow({ concurrency: 1 }), bytes, joint + 1)
    const store = smallStore(dev.store, { maxParts, ...limits })
    const upload = dev.grow({ store })
    const reasons: string[] = []
    upload.on('restarted', (event) => reasons.push(event.reason))
    await send(upload, bytes, 20_000)
    t.match(await upload.result, { resumed: false, parts }, reason)
    t.same(reasons, [reason])
    t.same(dev.server.openUploads(), [])
    t.ok(bytes.equals(await dev.object(key)))
  }
})

await t.test('refused for its sizes, it has one the next time', async (t) => {
  const dev = await growing(t, { equalParts: true })
  const bytes = whole.subarray(0, offsetAt(sizes, joint + 3) + 1)
  const upload = dev.grow()
  await send(upload, bytes, 20_000).catch(() => undefined)
  const failure = await failureOf(upload)
  t.match(failure, {
    code: 'PAWL_COMPLETE_REFUSED',
    serverCode: 'InvalidPart',
    resumable: false,
    transient: true,
    message: /not of one size.*run the same call again/,
  })
  t.match(await readCheckpoint(dev.log), {
    state: 'discarded',
    reason: 'equal-parts',
  })
  // The second one ends early: its log still knows.
  await stopAt(dev.grow({ concurrency: 1 }), bytes, 2)
  const again = dev.grow()
  await send(again, bytes, 20_000)
  t.match(await again.result, {
    resumed: true,
    parts: Math.ceil(bytes.length / (32 * KiB)),
  })
  t.ok(bytes.equals(await dev.object(key)))
  t.same(dev.server.openUploads(), [])
  t.notOk(dev.logExists())
})

await t.test('up to the joint there is nothing to refuse', async (t) => {
  const dev = await growing(t, { equalParts: true })
  // The first of the larger parts is the last, and no larger than the others.
  const bytes = whole.subarray(0, offsetAt(sizes, joint) + 8 * KiB)
  const upload = dev.grow()
  await send(upload, bytes, 20_000)
  t.match(await upload.result, { parts: joint })
  t.ok(bytes.equals(await dev.object(key)))
})

await t.test('without a log nobody would know, and that is said', async (t) => {
  const dev = await growing(t, { equalParts: true })
  const bytes = whole.subarray(0, offsetAt(sizes, joint + 3) + 1)
  const upload = dev.grow({ checkpoint: false })
  await send(upload, bytes, 20_000).catch(() => undefined)
  t.match(await failureOf(upload), {
    code: 'PAWL_COMPLETE_REFUSED',
    resumable: false,
    transient: false,
    message: /give partSize/,
  })
  t.same(dev.server.openUploads(), [])
  const given = dev.grow({ checkpoint: false, partSize: 8 * KiB })
  await send(given, bytes, 20_000)
  t.match(await given.result, { size: bytes.length })
})

await t.test('parts refused for another reason are sent again', async (t) => {
  const dev = await growing(t)
  const bytes = whole.subarray(0, offsetAt(sizes, joint + 3) + 1)
  dev.server.setFault(({ operation }) =>
    operation === 'CompleteMultipartUpload'
      ? { kind: 'status', status: 400, code: 'InvalidPart' }
      : undefined,
  )
  const upload = dev.grow({ partSize: 8 * KiB, store: dev.small })
  await send(upload, bytes, 20_000).catch(() => undefined)
  t.match(await failureOf(upload), {
    code: 'PAWL_COMPLETE_REFUSED',
    transient: false,
  })
  t.match(await readCheckpoint(dev.log), { reason: 'complete-refused' })
})
