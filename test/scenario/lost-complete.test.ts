/**
 * Answers to parts and to Complete that were lost: the object is looked at before
 * anything else, and the next run finishes what this one could not.
 */
import { writeFile } from 'node:fs/promises'
import t from 'tap'
import type { Fault } from '../../lib/dev-server/index.js'
import {
  memoryCheckpoint,
  type ObjectStore,
  type UploadStreamOptions,
} from '../../lib/index.js'
import { StoreError } from '../../lib/store/store-error.js'
import { all, besideEachOther } from '../support/beside.js'
import { noise } from '../support/dev-store.js'
import {
  changed,
  first,
  lost,
  mustBe,
  putPlain,
  timeoutsFor,
} from '../support/lost-answers.js'
import {
  key,
  part,
  send,
  smallUploads,
  until,
  type SmallUploads,
} from '../support/small-upload.js'
import { wrapStore } from '../support/small-store.js'
import { storeCall } from '../support/store-call.js'

const test = besideEachOther(t)

test('a lost answer to a part costs that part', async (t) => {
  for (const [name, fault] of lost) {
    const dev = await smallUploads(t)
    const bytes = noise(6 * part)
    first(dev, 'UploadPart', fault, 2)
    const result = await dev.run(bytes, timeoutsFor(fault))
    await mustBe(t, dev, bytes, name)
    // An answer that is not read needs no body: the headers say it all.
    const isNoFailure = fault.kind === 'replace-body'
    t.equal(dev.seen('UploadPart').length, 8, name)
    t.equal(result.verified, 'crc64')
    t.notOk(isNoFailure && result.parts !== 6)
    t.same(dev.server.openUploads(), [])
  }
})

test('a lost answer to Complete is cleared up', async (t) => {
  for (const [name, fault] of lost) {
    const dev = await smallUploads(t)
    const bytes = noise(5 * part + 1)
    first(dev, 'CompleteMultipartUpload', fault)
    const result = await dev.run(bytes, timeoutsFor(fault))
    await mustBe(t, dev, bytes, name)
    t.equal(dev.seen('CompleteMultipartUpload').length, 1, 'not repeated')
    t.equal(dev.seen('HeadObject').length, 1, 'looked at')
    t.match(result, { verified: 'crc64', size: bytes.length })
    t.same(dev.server.openUploads(), [])
  }
})

test('a Complete that did not happen is repeated', async (t) => {
  const cases: [string, Fault][] = [
    ['refused', { kind: 'refuse' }],
    ['silence', { kind: 'silence' }],
    ['500', { kind: 'status', status: 500 }],
    ['429', { kind: 'status', status: 429, headers: { 'retry-after': '0' } }],
    [
      'an error under 200',
      {
        kind: 'status',
        status: 200,
        body: '<?xml version="1.0"?><Error><Code>InternalError</Code></Error>',
      },
    ],
    ['200 and nothing', { kind: 'status', status: 200, body: '' }],
    ['200 and HTML', { kind: 'status', status: 200, body: '<html></html>' }],
  ]
  await all(cases, async ([name, fault]) => {
    const dev = await smallUploads(t)
    const bytes = noise(3 * part)
    first(dev, 'CompleteMultipartUpload', fault, 2)
    // On a busy machine an answer can be late, and be one more Complete.
    await dev.run(bytes, timeoutsFor(fault))
    await mustBe(t, dev, bytes, name)
    t.equal(dev.seen('CompleteMultipartUpload').length, 3, name)
  })
})

test('a Complete that never happens keeps the log, and the next run goes on', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(3 * part)
  first(dev, 'CompleteMultipartUpload', { kind: 'status', status: 500 }, 99)
  t.match(await dev.fail(bytes), {
    code: 'PAWL_COMPLETE_UNKNOWN',
    resumable: true,
    transient: true,
    status: 500,
  })
  t.ok(dev.logExists())
  first(dev, 'CompleteMultipartUpload', { kind: 'status', status: 500 }, 99)
  t.match(
    await dev.fail(bytes),
    {
      code: 'PAWL_COMPLETE_UNKNOWN',
      resumable: true,
      transient: false,
    },
    'the second time in a row',
  )
  dev.server.setFault(undefined)
  const sent = dev.server.requests.length
  t.match(await dev.run(bytes), { partsReused: 3 })
  t.same(dev.partsSince(sent), [])
  await mustBe(t, dev, bytes)
})

test('an object of the same size proves nothing', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(3 * part)
  await dev.run(noise(3 * part, 77))
  const fault: Fault = { kind: 'silence' }
  first(dev, 'CompleteMultipartUpload', fault, 1)
  await dev.run(bytes, timeoutsFor(fault))
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('CompleteMultipartUpload').length, 3)
})

test('where overwriting is forbidden, our own object is told from others', async (t) => {
  const object = { forbidOverwrite: true }
  await all([5 * part, 100, 0], async (size) => {
    const operation = size < part ? 'PutObject' : 'CompleteMultipartUpload'
    const bytes = noise(size, size + 1)
    await all(lost, async ([name, fault]) => {
      const dev = await smallUploads(t)
      first(dev, operation, fault)
      await dev.run(bytes, { object, ...timeoutsFor(fault) })
      await mustBe(t, dev, bytes, `${operation}: ${name}`)
    })
    const dev = await smallUploads(t)
    const other = noise(size + 1, 99)
    await dev.run(other)
    const before = dev.server.requests.length
    const exists = { code: 'PAWL_ALREADY_EXISTS', transient: false }
    t.match(
      await dev.fail(bytes, { object }),
      { ...exists, resumable: false },
      'somebody else was first',
    )
    t.same(
      dev.server.requests.slice(before).map(({ operation }) => operation),
      ['HeadObject'],
      'and nothing was sent',
    )
    t.ok(other.equals(await dev.object(key)), 'and is left alone')
    t.notOk(dev.logExists())
  })
})

/** Ends the run at a moment around Complete, as a kill would. */
async function endAt(
  dev: SmallUploads,
  bytes: Buffer,
  fault: Fault,
): Promise<void> {
  first(dev, 'CompleteMultipartUpload', fault, 99)
  const upload = dev.upload()
  const sending = send(upload, bytes).catch(() => undefined)
  await until(() => {
    const [complete] = dev.seen('CompleteMultipartUpload')
    if (complete === undefined) return false
    return !('apply' in fault) || complete.applied
  })
  upload.destroy()
  await sending
  dev.server.setFault(undefined)
}

const completed: Fault = { kind: 'silence', apply: true }

test('a run that ended around Complete', async (t) => {
  t.jobs = 6
  const tests: Promise<unknown>[] = []
  const bytes = noise(4 * part + 9)
  const cases: {
    name: string
    fault: Fault
    after?: (dev: SmallUploads) => Promise<unknown>
    again?: Buffer
    options?: Partial<UploadStreamOptions>
    code?: string
    completes: number
    sent: number[]
    /** The upload is gone and no object of it is there: it must not come later. */
    isEnded?: boolean
  }[] = [
    { name: 'before it', fault: { kind: 'silence' }, completes: 2, sent: [] },
    { name: 'after it', fault: completed, completes: 1, sent: [] },
    {
      name: 'after it, with other object options',
      fault: completed,
      options: { object: { contentType: 'text/plain' } },
      completes: 2,
      sent: [1, 2, 3, 4, 5],
    },
    {
      name: 'after it, and somebody replaced the object',
      fault: completed,
      after: (dev) => dev.run(noise(7), { checkpoint: false }),
      completes: 2,
      sent: [1, 2, 3, 4, 5],
      isEnded: true,
    },
    {
      name: 'after it, and the first part changed',
      fault: completed,
      again: changed(bytes, 3),
      completes: 2,
      sent: [1, 2, 3, 4, 5],
    },
    {
      name: 'after it, and a later part changed',
      fault: completed,
      again: changed(bytes, 2 * part),
      code: 'PAWL_SOURCE_CHANGED',
      completes: 2,
      sent: [1, 2, 3, 4, 5],
    },
    {
      name: 'after it, and the source is longer',
      fault: completed,
      again: Buffer.concat([bytes, noise(part)]),
      code: 'PAWL_SOURCE_CHANGED',
      completes: 2,
      sent: [1, 2, 3, 4, 5, 6],
    },
    {
      name: 'after it, and the source is shorter',
      fault: completed,
      again: bytes.subarray(0, 2 * part),
      code: 'PAWL_SOURCE_CHANGED',
      completes: 2,
      sent: [1, 2],
    },
    {
      name: 'after it, and the source is less than a part',
      fault: completed,
      again: bytes.subarray(0, 10),
      completes: 1,
      sent: [],
    },
    {
      name: 'after it, with another size',
      fault: completed,
      again: bytes.subarray(0, 3 * part),
      options: { size: 3 * part },
      completes: 2,
      sent: [1, 2, 3],
    },
    {
      name: 'before it, and the upload is gone',
      fault: { kind: 'silence' },
      after: async (dev) =>
        dev.small.abortUpload(
          { key, uploadId: dev.server.openUploads()[0]?.uploadId ?? '' },
          storeCall(),
        ),
      completes: 2,
      sent: [1, 2, 3, 4, 5],
      isEnded: true,
    },
  ]
  for (const {
    name,
    fault,
    after,
    again = bytes,
    options,
    code,
    completes,
    sent,
    isEnded = false,
  } of cases) {
    const test = t.test(name, { buffered: true }, async (t) => {
      const dev = await smallUploads(t)
      await endAt(dev, bytes, fault)
      await after?.(dev)
      const before = dev.server.requests.length
      const aborts = dev.seen('AbortMultipartUpload').length
      if (code !== undefined) {
        const told = { resumable: false, transient: true }
        t.match(await dev.fail(again, options), { code, ...told })
      }
      await dev.run(again, options)
      await mustBe(t, dev, again)
      t.same(dev.partsSince(before), sent)
      t.equal(dev.seen('CompleteMultipartUpload').length, completes)
      t.equal(
        dev.seen('AbortMultipartUpload').length - aborts,
        isEnded ? 1 : 0,
        'a finished upload is not aborted',
      )
      t.same(dev.server.openUploads(), [])
    })
    tests.push(test)
  }
  await Promise.all(tests)
})

test('an upload that became an object is no rival, though it is listed still', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(3 * part)
  await endAt(dev, bytes, completed)
  const mark = (await dev.small.headObject(key, storeCall()))?.mark
  await putPlain(dev.small, noise(7), mark)
  const store: ObjectStore = {
    ...dev.small,
    listParts: (request, call) =>
      dev.small.listParts(request, call).catch((error: unknown) => {
        const isGone = error instanceof StoreError && error.kind === 'no-upload'
        if (isGone) return { parts: [] }
        throw error
      }),
  }
  await dev.run(bytes, { store })
  await mustBe(t, dev, bytes)
})

test('a completed upload is never aborted', async (t) => {
  const bytes = noise(3 * part)
  const tooLate = { code: 'PAWL_INVALID_STATE', completed: true }
  const damaged = (log: Buffer): Buffer =>
    Buffer.from(log.toString('latin1').replace(/^(.*) completing /gm, 'X$1 '))
  const cases: {
    name: string
    damage?: (log: Buffer) => Buffer
    isReplaced?: boolean
    /** The run was killed before it could hand out its result. */
    isUntold?: boolean
  }[] = [
    { name: 'its completing damaged', damage: damaged },
    { name: 'its object replaced', isReplaced: true },
    { name: 'both', damage: damaged, isReplaced: true },
  ]
  for (const { isUntold, name, damage, isReplaced = false } of cases.flatMap(
    (one) => [one, { ...one, isUntold: true }],
  )) {
    for (const isDiscarded of [false, true]) {
      const dev = await smallUploads(t)
      const left = memoryCheckpoint()
      const appended: Uint8Array[] = []
      await dev.run(bytes, {
        checkpoint: {
          name: left.name,
          open: () => left.open(),
          append: async (block) => {
            appended.push(block)
          },
          setAside: () => left.setAside(),
          remove: async () => false,
          close: () => left.close(),
        },
      })
      if (isUntold) t.match(String(appended.pop()), / told /)
      const log = Buffer.concat(appended)
      await writeFile(dev.log, damage?.(log) ?? log, { mode: 0o600 })
      if (isReplaced) await dev.run(noise(7), { checkpoint: false })
      const options = { object: { contentType: 'text/plain' } }
      if (isDiscarded) {
        const upload = dev.upload(options)
        const discarding = upload.discard()
        // What was handed out is no longer this log's.
        const isLate = isUntold === true && !isReplaced
        if (isLate) await t.rejects(discarding, tooLate, name)
        else await discarding
        t.equal(dev.logExists(), isLate, name)
      } else {
        await dev.run(bytes, options)
        await mustBe(t, dev, bytes, name)
      }
      t.same(dev.seen('AbortMultipartUpload'), [], name)
    }
  }
})

test('credentials refused twice are not tried a third time', async (t) => {
  const dev = await smallUploads(t)
  first(
    dev,
    'CompleteMultipartUpload',
    { kind: 'status', status: 403, code: 'InvalidAccessKeyId' },
    99,
  )
  t.match(await dev.fail(noise(3 * part)), {
    code: 'PAWL_CREDENTIALS',
    attempts: 2,
    resumable: true,
    transient: false,
  })
  t.equal(dev.seen('CompleteMultipartUpload').length, 2)
})

test('a Complete that never left is sent again without a look', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(3 * part)
  let refused = 0
  const store = wrapStore(dev.small, {
    around: async (call, run) => {
      if (call !== 'completeUpload' || refused === 2) return run()
      refused++
      const cause = Object.assign(new Error('no'), { code: 'ECONNREFUSED' })
      throw new StoreError('nobody listens', { kind: 'network', cause })
    },
  })
  await dev.run(bytes, { store })
  await mustBe(t, dev, bytes)
  t.equal(refused, 2)
  t.same(dev.seen('HeadObject'), [])
})
