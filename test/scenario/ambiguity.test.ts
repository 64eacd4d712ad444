/**
 * Answers that were lost, that lie, or that contradict each other: whatever a
 * server says, the object is the source's bytes or the error says what is known,
 * and the next run finishes it.
 */
import { writeFile } from 'node:fs/promises'
import t from 'tap'
import type { Test } from 'tap'
import type {
  Fault,
  Operation,
  SeenRequest,
} from '../../lib/dev-server/index.js'
import { memoryCheckpoint, type UploadStreamOptions } from '../../lib/index.js'
import { StoreError } from '../../lib/store/store-error.js'
import { noise } from '../support/dev-store.js'
import { smallStore, wrapStore } from '../support/small-store.js'
import {
  key,
  part,
  send,
  smallUploads,
  until,
  type SmallUploads,
} from '../support/small-upload.js'
import { storeCall } from '../support/store-call.js'

const quick = { connect: 2000, stall: 1500, headers: 1500, complete: 1500 }

/** The first `times` requests of one operation misbehave. */
function first(
  { server }: SmallUploads,
  operation: Operation,
  fault: Fault,
  times = 1,
): void {
  let left = times
  server.setFault((request) =>
    request.operation === operation && left-- > 0 ? fault : undefined,
  )
}

async function mustBe(
  t: Test,
  dev: SmallUploads,
  bytes: Buffer,
  name = 'the object is the source',
): Promise<void> {
  t.ok(bytes.equals(await dev.object(key)), name)
  t.notOk(dev.logExists(), 'the log is gone')
}

/** Ways to lose the answer to a request that was carried out. */
const lost: [string, Fault][] = [
  ['reply-lost', { kind: 'reply-lost' }],
  ['reply-cut', { kind: 'reply-cut' }],
  ['silence', { kind: 'silence', apply: true }],
  ['500 after all', { kind: 'status', status: 500, apply: true }],
  [
    '503 after all',
    {
      kind: 'status',
      status: 503,
      code: 'ServiceUnavailable',
      headers: { 'retry-after': '0' },
      apply: true,
    },
  ],
  ['HTML of a proxy', { kind: 'replace-body', body: '<html>hello</html>' }],
]

await t.test('a lost answer to Initiate costs an empty upload', async (t) => {
  for (const [name, fault] of lost) {
    const dev = await smallUploads(t)
    const bytes = noise(3 * part + 7)
    first(dev, 'CreateMultipartUpload', fault)
    await dev.run(bytes, { timeout: quick })
    await mustBe(t, dev, bytes, name)
    t.same(
      dev.server.openUploads().map(({ parts }) => parts),
      [0],
      'one orphan, without parts, too young to be touched',
    )
    t.equal(dev.seen('AbortMultipartUpload').length, 0)
  }
})

await t.test('an orphan is aborted when the rule allows it', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(4 * part)
  first(dev, 'CreateMultipartUpload', { kind: 'reply-lost' }, 2)
  const suspended = dev.upload()
  suspended.once('part', () => suspended.destroy())
  await send(suspended, bytes).catch(() => undefined)
  t.equal(dev.server.openUploads().length, 3, 'two orphans and the upload')
  dev.server.setFault(undefined)
  // Somebody else's uploads: of the same key but with a part, and of others.
  const theirs = await dev.small.createUpload({ key, object: {} }, storeCall())
  await dev.small.uploadPart(
    {
      key,
      uploadId: theirs.uploadId,
      partNumber: 1,
      size: 3,
      body: async function* () {
        yield Buffer.from('abc')
      },
    },
    storeCall(),
  )
  for (const other of [`${key}2`, 'backups/db', 'zzz']) {
    await dev.small.createUpload({ key: other, object: {} }, storeCall())
  }
  await later(t, 10 * 60_000, async () => {
    const young = dev.upload({ store: smallStore(dev.another()) })
    young.once('resumed', () => young.destroy())
    await send(young, bytes).catch(() => undefined)
    t.equal(dev.seen('AbortMultipartUpload').length, 0)
  })
  await later(t, 20 * 60_000, async () => {
    // Begun now, by somebody whose Initiate has just been answered.
    const store = smallStore(dev.another())
    await store.createUpload({ key, object: {} }, storeCall())
    await dev.run(bytes, { store })
  })
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('AbortMultipartUpload').length, 2, 'the two orphans')
  t.same(
    dev.server
      .openUploads()
      .map((open) => [open.key, open.parts])
      .toSorted((a, b) => (String(a) < String(b) ? -1 : 1)),
    [
      ['backups/db', 0],
      [key, 0],
      [key, 1],
      [`${key}2`, 0],
      ['zzz', 0],
    ],
    'nothing of anybody else',
  )
})

await t.test('an orphan that cannot be listed is left alone', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(2 * part)
  dev.server.setFault((request) => {
    if (request.operation === 'ListMultipartUploads') {
      return { kind: 'status', status: 403, code: 'AccessDenied' }
    }
    return request.operation === 'CreateMultipartUpload' &&
      dev.seen('CreateMultipartUpload').length === 1
      ? { kind: 'reply-lost' }
      : undefined
  })
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.equal(dev.server.openUploads().length, 1)
})

/** Runs `work` with all clocks of this process moved on. */
async function later(
  t: Test,
  ms: number,
  work: () => Promise<void>,
): Promise<void> {
  const { now } = Date
  Date.now = () => now() + ms
  try {
    await work()
  } finally {
    Date.now = now
  }
  t.comment(`${ms / 60_000} minutes later`)
}

await t.test('a lost answer to a part costs that part', async (t) => {
  for (const [name, fault] of lost) {
    const dev = await smallUploads(t)
    const bytes = noise(6 * part)
    first(dev, 'UploadPart', fault, 2)
    const result = await dev.run(bytes, { timeout: quick })
    await mustBe(t, dev, bytes, name)
    // An answer that is not read needs no body: the headers say it all.
    const isNoFailure = fault.kind === 'replace-body'
    t.equal(dev.seen('UploadPart').length, 8, name)
    t.equal(result.verified, 'crc64')
    t.notOk(isNoFailure && result.parts !== 6)
    t.same(dev.server.openUploads(), [])
  }
})

await t.test('a lost answer to Complete is cleared up', async (t) => {
  for (const [name, fault] of lost) {
    const dev = await smallUploads(t)
    const bytes = noise(5 * part + 1)
    first(dev, 'CompleteMultipartUpload', fault)
    const result = await dev.run(bytes, { timeout: quick })
    await mustBe(t, dev, bytes, name)
    t.equal(dev.seen('CompleteMultipartUpload').length, 1, 'not repeated')
    t.equal(dev.seen('HeadObject').length, 1, 'looked at')
    t.match(result, { verified: 'crc64', size: bytes.length })
    t.same(dev.server.openUploads(), [])
  }
})

await t.test('a Complete that did not happen is repeated', async (t) => {
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
  for (const [name, fault] of cases) {
    const dev = await smallUploads(t)
    const bytes = noise(3 * part)
    first(dev, 'CompleteMultipartUpload', fault, 2)
    // On a busy machine an answer can be late, and be one more Complete.
    await dev.run(bytes, fault.kind === 'silence' ? { timeout: quick } : {})
    await mustBe(t, dev, bytes, name)
    t.equal(dev.seen('CompleteMultipartUpload').length, 3, name)
  }
})

await t.test(
  'a Complete that never happens keeps the log, and the next run goes on',
  async (t) => {
    const dev = await smallUploads(t)
    const bytes = noise(3 * part)
    first(dev, 'CompleteMultipartUpload', { kind: 'status', status: 500 }, 99)
    t.match(await dev.fail(bytes), {
      code: 'PAWL_COMPLETE_UNKNOWN',
      resumable: true,
      status: 500,
    })
    t.ok(dev.logExists())
    dev.server.setFault(undefined)
    const sent = dev.server.requests.length
    t.match(await dev.run(bytes), { partsReused: 3 })
    t.same(dev.partsSince(sent), [])
    await mustBe(t, dev, bytes)
  },
)

await t.test('an object of the same size proves nothing', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(3 * part)
  await dev.run(noise(3 * part, 77))
  first(dev, 'CompleteMultipartUpload', { kind: 'silence' }, 1)
  await dev.run(bytes, { timeout: quick })
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('CompleteMultipartUpload').length, 3)
})

await t.test('a lost answer to PutObject is cleared up', async (t) => {
  for (const [name, fault] of lost) {
    const dev = await smallUploads(t)
    const bytes = noise(part - 1)
    first(dev, 'PutObject', fault, 5)
    await dev.run(bytes, { timeout: quick })
    await mustBe(t, dev, bytes, name)
  }
})

await t.test('a PutObject is not repeated before a look', async (t) => {
  for (const [name, fault] of lost) {
    const dev = await smallUploads(t)
    const bytes = noise(part - 1)
    first(dev, 'PutObject', fault)
    await dev.run(bytes, { timeout: quick })
    await mustBe(t, dev, bytes, name)
    t.equal(dev.seen('PutObject').length, 1, name)
  }
})

await t.test('a look that fails is repeated before PutObject is', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(part - 1)
  let looks = 0
  let puts = 0
  dev.server.setFault(({ operation }) => {
    if (operation === 'PutObject' && puts++ === 0) return { kind: 'reply-lost' }
    return operation === 'HeadObject' && looks++ < 2
      ? { kind: 'status', status: 500 }
      : undefined
  })
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.same([puts, looks], [1, 3])
})

await t.test('who may not look repeats PutObject', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(part - 1)
  let puts = 0
  dev.server.setFault(({ operation }) => {
    if (operation === 'PutObject' && puts++ === 0) return { kind: 'reply-lost' }
    return operation === 'HeadObject'
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined
  })
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.equal(puts, 2)
})

await t.test('a PutObject that never happens is an error', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(100)
  first(dev, 'PutObject', { kind: 'status', status: 500 }, 99)
  t.match(await dev.fail(bytes), {
    code: 'PAWL_SERVER',
    status: 500,
    attempts: 5,
  })
  t.equal(dev.server.objectPath('examplebucket', key), undefined)
  dev.server.setFault(undefined)
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
})

await t.test(
  'where overwriting is forbidden, our own object is told from others',
  async (t) => {
    const object = { forbidOverwrite: true }
    for (const size of [5 * part, 100, 0]) {
      const operation = size < part ? 'PutObject' : 'CompleteMultipartUpload'
      const bytes = noise(size, size + 1)
      for (const [name, fault] of lost) {
        const dev = await smallUploads(t)
        first(dev, operation, fault)
        await dev.run(bytes, { object, timeout: quick })
        await mustBe(t, dev, bytes, `${operation}: ${name}`)
      }
      const dev = await smallUploads(t)
      const other = noise(size + 1, 99)
      await dev.run(other)
      t.match(
        await dev.fail(bytes, { object }),
        { code: 'PAWL_ALREADY_EXISTS', serverCode: 'FileAlreadyExists' },
        'somebody else was first',
      )
      t.ok(other.equals(await dev.object(key)), 'and is left alone')
    }
  },
)

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

await t.test('a run that ended around Complete', async (t) => {
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
  }[] = [
    { name: 'before it', fault: { kind: 'silence' }, completes: 2, sent: [] },
    { name: 'after it', fault: completed, completes: 1, sent: [] },
    {
      name: 'after it, with other object options',
      fault: completed,
      options: { object: { contentType: 'text/plain' } },
      completes: 1,
      sent: [],
    },
    {
      name: 'after it, and somebody replaced the object',
      fault: completed,
      after: (dev) => dev.run(noise(7), { checkpoint: false }),
      completes: 2,
      sent: [1, 2, 3, 4, 5],
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
  } of cases) {
    const test = t.test(name, { buffered: true }, async (t) => {
      const dev = await smallUploads(t)
      await endAt(dev, bytes, fault)
      await after?.(dev)
      const before = dev.server.requests.length
      const aborts = dev.seen('AbortMultipartUpload').length
      if (code !== undefined) {
        t.match(await dev.fail(again, options), { code, resumable: true })
      }
      await dev.run(again, options)
      await mustBe(t, dev, again)
      t.same(dev.partsSince(before), sent)
      t.equal(dev.seen('CompleteMultipartUpload').length, completes)
      t.equal(
        dev.seen('AbortMultipartUpload').length,
        aborts,
        'a finished upload is not aborted',
      )
      t.same(dev.server.openUploads(), [])
    })
    tests.push(test)
  }
  await Promise.all(tests)
})

await t.test('a completed upload is never aborted', async (t) => {
  const bytes = noise(3 * part)
  const tooLate = { code: 'PAWL_INVALID_STATE', completed: true }
  const damaged = (log: Buffer): Buffer =>
    Buffer.from(log.toString('latin1').replace(/^(.*) completing /gm, 'X$1 '))
  const cases: {
    name: string
    damage?: (log: Buffer) => Buffer
    isReplaced?: boolean
  }[] = [
    { name: 'its completing damaged', damage: damaged },
    { name: 'its object replaced', isReplaced: true },
    { name: 'both', damage: damaged, isReplaced: true },
  ]
  for (const { name, damage, isReplaced = false } of cases) {
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
      const log = Buffer.concat(appended)
      await writeFile(dev.log, damage?.(log) ?? log, { mode: 0o600 })
      if (isReplaced) await dev.run(noise(7), { checkpoint: false })
      const options = { object: { contentType: 'text/plain' } }
      if (isDiscarded) {
        const upload = dev.upload(options)
        const discarding = upload.discard()
        if (isReplaced) await discarding
        else await t.rejects(discarding, tooLate, name)
        t.equal(dev.logExists(), !isReplaced, name)
      } else {
        await dev.run(bytes, options)
        await mustBe(t, dev, bytes, name)
      }
      t.same(dev.seen('AbortMultipartUpload'), [], name)
    }
  }
})

await t.test('a run that ended around PutObject', async (t) => {
  for (const forbidOverwrite of [false, true]) {
    const dev = await smallUploads(t)
    const bytes = noise(50)
    first(dev, 'PutObject', completed, 99)
    const object = { forbidOverwrite }
    const upload = dev.upload({ object })
    const sending = send(upload, bytes).catch(() => undefined)
    await until(() => dev.seen('PutObject')[0]?.applied === true)
    upload.destroy()
    await sending
    dev.server.setFault(undefined)
    await t.rejects(upload.discard(), {
      code: 'PAWL_INVALID_STATE',
      completed: true,
    })
    await dev.run(bytes, { object })
    await mustBe(t, dev, bytes, `forbidOverwrite: ${forbidOverwrite}`)
  }
})

function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

const object = {
  callback: { url: 'http://127.0.0.1:9/none', body: 'size=${size}' },
}

await t.test('a callback that failed', async (t) => {
  for (const status of [203, 424]) {
    for (const size of [3 * part, 10]) {
      const dev = await smallUploads(t)
      const bytes = noise(size)
      const code = 'CallbackFailed'
      dev.server.setFault(({ operation }) =>
        operation === 'PutObject' || operation === 'CompleteMultipartUpload'
          ? { kind: 'status', status, code, apply: true }
          : undefined,
      )
      const error = await dev.fail(bytes, { object })
      t.match(error, {
        code: 'PAWL_CALLBACK_FAILED',
        status,
        resumable: false,
        completed: true,
        result: { key, size, etag: /^[0-9A-F]{32}/, verified: 'crc64' },
      })
      await mustBe(t, dev, bytes)
      t.equal(
        dev.seen('PutObject').length +
          dev.seen('CompleteMultipartUpload').length,
        1,
        'never repeated',
      )
    }
  }
})

await t.test('a failed callback is no proof of an object', async (t) => {
  for (const size of [3 * part, 10]) {
    const dev = await smallUploads(t)
    const bytes = noise(size)
    dev.server.setFault(({ operation }) =>
      operation === 'PutObject' || operation === 'CompleteMultipartUpload'
        ? { kind: 'status', status: 424, code: 'CallbackFailed' }
        : undefined,
    )
    t.match(await dev.fail(bytes, { object }), {
      code: size < part ? 'PAWL_SERVER' : 'PAWL_COMPLETE_UNKNOWN',
      status: 424,
      resumable: true,
    })
    dev.server.setFault(undefined)
    await dev.run(bytes, { object: {} })
    await mustBe(t, dev, bytes)
  }
})

await t.test('NoSuchUpload at every stage', async (t) => {
  const gone: Fault = { kind: 'status', status: 404, code: 'NoSuchUpload' }
  const bytes = noise(6 * part)
  await t.test('in the list of parts: starts over', async (t) => {
    const dev = await smallUploads(t)
    await suspendAfter(dev, bytes, 2)
    first(dev, 'ListParts', gone)
    t.match(await dev.run(bytes), { resumed: false, partsReused: 0 })
    await mustBe(t, dev, bytes)
  })
  await t.test('for the first part: starts over by itself', async (t) => {
    const dev = await smallUploads(t)
    first(dev, 'UploadPart', gone, 1)
    await dev.run(bytes, { concurrency: 1 })
    await mustBe(t, dev, bytes)
    t.equal(dev.seen('CreateMultipartUpload').length, 2)
  })
  await t.test('for all first parts at once: starts over once', async (t) => {
    const dev = await smallUploads(t)
    first(dev, 'UploadPart', gone, 4)
    await dev.run(bytes)
    await mustBe(t, dev, bytes)
    t.equal(dev.seen('CreateMultipartUpload').length, 2)
  })
  await t.test('for every first part: not for ever', async (t) => {
    const dev = await smallUploads(t)
    first(dev, 'UploadPart', gone, 1000)
    t.match(await dev.fail(bytes, { concurrency: 1 }), {
      code: 'PAWL_UPLOAD_GONE',
      resumable: true,
    })
    t.equal(dev.seen('CreateMultipartUpload').length, 3)
    dev.server.setFault(undefined)
    await dev.run(bytes)
    await mustBe(t, dev, bytes)
  })
  await t.test('for a later part: the next run starts over', async (t) => {
    const dev = await smallUploads(t)
    dev.server.setFault(({ operation, partNumber }) =>
      operation === 'UploadPart' && partNumber === 4 ? gone : undefined,
    )
    t.match(await dev.fail(bytes, { concurrency: 1 }), {
      code: 'PAWL_UPLOAD_GONE',
      resumable: true,
    })
    dev.server.setFault(undefined)
    t.match(await dev.run(bytes), { resumed: false })
    await mustBe(t, dev, bytes)
  })
  await t.test('for Complete: the next run starts over', async (t) => {
    const dev = await smallUploads(t)
    dev.server.setFault(({ operation, index }) =>
      operation === 'CompleteMultipartUpload' ||
      (operation === 'ListParts' && index > 0)
        ? gone
        : undefined,
    )
    t.match(await dev.fail(bytes), { code: 'PAWL_UPLOAD_GONE' })
    dev.server.setFault(undefined)
    t.match(await dev.run(bytes), { resumed: false })
    await mustBe(t, dev, bytes)
  })
  await t.test('for Abort: it is done', async (t) => {
    const dev = await smallUploads(t)
    const upload = await suspendAfter(dev, bytes, 2)
    first(dev, 'AbortMultipartUpload', gone, 99)
    dev.server.setFault(({ operation }) =>
      operation === 'AbortMultipartUpload' || operation === 'ListParts'
        ? gone
        : undefined,
    )
    await upload.discard()
    t.notOk(dev.logExists())
  })
  await t.test('for a Complete that was repeated: looked at', async (t) => {
    const dev = await smallUploads(t)
    let heads = 0
    dev.server.setFault(({ operation }) => {
      if (operation === 'CompleteMultipartUpload') return { kind: 'reply-lost' }
      // The first look comes too early.
      if (operation === 'HeadObject' && heads++ === 0) {
        return { kind: 'status', status: 404 }
      }
      return operation === 'ListParts' && heads === 1
        ? {
            kind: 'status',
            status: 200,
            body: '<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>',
          }
        : undefined
    })
    await dev.run(bytes)
    await mustBe(t, dev, bytes)
    t.equal(dev.seen('CompleteMultipartUpload').length, 2)
  })
})

async function suspendAfter(
  dev: SmallUploads,
  bytes: Buffer,
  count: number,
  options: Partial<UploadStreamOptions> = {},
) {
  const upload = dev.upload({ concurrency: 1, ...options })
  let stored = 0
  upload.on('part', () => {
    if (++stored === count) upload.destroy()
  })
  await send(upload, bytes).catch(() => undefined)
  return upload
}

await t.test('what ListParts says is not what the log says', async (t) => {
  const bytes = noise(8 * part)
  type Listed = { number: number; etag: string; crc: string; size: number }
  const cases: {
    name: string
    list: (parts: Listed[]) => Listed[]
    sent: number[]
  }[] = [
    { name: 'the same', list: (parts) => parts, sent: [6, 7, 8] },
    {
      name: 'a part is missing',
      list: (parts) => parts.filter(({ number }) => number !== 2),
      sent: [2, 6, 7, 8],
    },
    { name: 'all are missing', list: () => [], sent: [1, 2, 3, 4, 5, 6, 7, 8] },
    {
      name: 'one is of another size',
      list: (parts) =>
        parts.map((listed) =>
          listed.number === 3 ? { ...listed, size: 5 } : listed,
        ),
      sent: [3, 6, 7, 8],
    },
    {
      name: 'one has another ETag and another CRC-64',
      list: (parts) =>
        parts.map((listed) =>
          listed.number === 4
            ? { ...listed, etag: `"${'0'.repeat(32)}"`, crc: '1' }
            : listed,
        ),
      sent: [4, 6, 7, 8],
    },
    {
      name: 'one has the same ETag and another CRC-64',
      list: (parts) =>
        parts.map((listed) =>
          listed.number === 1 ? { ...listed, crc: '1' } : listed,
        ),
      sent: [1, 6, 7, 8],
    },
    {
      name: 'one has its ETag in lower case and without quotes',
      list: (parts) =>
        parts.map((listed) => ({
          ...listed,
          etag: listed.etag.toLowerCase().replaceAll('"', ''),
        })),
      sent: [6, 7, 8],
    },
    {
      name: 'there are parts beyond the end',
      list: (parts) => [
        ...parts,
        { number: 9, etag: `"${'A'.repeat(32)}"`, crc: '5', size: part },
        { number: 9999, etag: `"${'B'.repeat(32)}"`, crc: '6', size: part },
      ],
      sent: [6, 7, 8],
    },
  ]
  for (const { name, list, sent } of cases) {
    await t.test(name, async (t) => {
      const dev = await smallUploads(t)
      await suspendAfter(dev, bytes, 5)
      // The store knows them all before its list is told wrongly.
      const uploadId = dev.server.openUploads()[0]?.uploadId ?? ''
      const page = await dev.small.listParts({ key, uploadId }, storeCall())
      const listed = page.parts.slice(0, 5).map((known) => ({
        number: known.partNumber,
        etag: known.etag,
        crc: known.crc64 ?? '',
        size: known.size,
      }))
      const xml = list(listed)
        .map(
          ({ number, etag, crc, size }) =>
            `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag><HashCrc64ecma>${crc}</HashCrc64ecma><Size>${size}</Size></Part>`,
        )
        .join('')
      first(dev, 'ListParts', {
        kind: 'status',
        status: 200,
        body: `<ListPartsResult><IsTruncated>false</IsTruncated>${xml}</ListPartsResult>`,
      })
      const before = dev.server.requests.length
      await dev.run(bytes)
      await mustBe(t, dev, bytes)
      t.same(dev.partsSince(before), sent)
    })
  }
})

await t.test('a part that somebody replaced is sent again', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(5 * part)
  const replace = async (partNumber: number): Promise<void> => {
    const uploadId = dev.server.openUploads()[0]?.uploadId ?? ''
    const other = noise(part, 1234)
    await dev.small.uploadPart(
      {
        key,
        uploadId,
        partNumber,
        size: part,
        body: async function* () {
          yield other
        },
      },
      storeCall(),
    )
  }
  const beforeComplete = () => replace(2)
  // Replaced between its receipt and Complete: dropped, said, cured.
  t.match(await dev.fail(bytes, { beforeComplete }), {
    code: 'PAWL_COMPLETE_REFUSED',
    resumable: true,
    message: /parts? 2 /,
  })
  const before = dev.server.requests.length
  t.match(await dev.fail(bytes, { beforeComplete }), {
    code: 'PAWL_UPLOAD_CONTENDED',
    resumable: true,
  })
  t.same(dev.partsSince(before), [2, 2], 'ours and theirs')
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('CreateMultipartUpload').length, 1)
})

await t.test('where parts may not be listed', async (t) => {
  const refusals: [string, Fault][] = [
    ['denied', { kind: 'status', status: 403, code: 'AccessDenied' }],
    ['405', { kind: 'status', status: 405, code: 'MethodNotAllowed' }],
    ['501', { kind: 'status', status: 501, code: 'NotImplemented' }],
  ]
  for (const [name, refusal] of refusals) {
    await t.test(`${name}: one part is sent again as a probe`, async (t) => {
      const dev = await smallUploads(t)
      const bytes = noise(8 * part)
      await suspendAfter(dev, bytes, 5)
      dev.server.setFault(({ operation }) =>
        operation === 'ListParts' ? refusal : undefined,
      )
      const before = dev.server.requests.length
      await dev.run(bytes)
      await mustBe(t, dev, bytes)
      const [probe, ...rest] = dev.partsSince(before)
      t.equal(probe, 1)
      t.ok(rest.length <= 3 && rest[0] !== undefined && rest[0] >= 6)
    })
    await t.test(`${name}: the probe finds a vanished upload`, async (t) => {
      const dev = await smallUploads(t)
      const bytes = noise(8 * part)
      await suspendAfter(dev, bytes, 5)
      const uploadId = dev.server.openUploads()[0]?.uploadId ?? ''
      await dev.small.abortUpload({ key, uploadId }, storeCall())
      dev.server.setFault(({ operation }) =>
        operation === 'ListParts' ? refusal : undefined,
      )
      const error = await dev.fail(bytes).catch(() => undefined)
      if (error !== undefined) {
        t.match(error, { code: 'PAWL_UPLOAD_GONE', resumable: true })
        await dev.run(bytes)
      }
      await mustBe(t, dev, bytes)
    })
  }
  await t.test('nor the object looked at: a lost Complete', async (t) => {
    const dev = await smallUploads(t)
    const bytes = noise(3 * part)
    let completes = 0
    dev.server.setFault(({ operation }) => {
      if (operation === 'ListParts' || operation === 'HeadObject') {
        return { kind: 'status', status: 403, code: 'AccessDenied' }
      }
      return operation === 'CompleteMultipartUpload' && completes++ === 0
        ? { kind: 'reply-lost' }
        : undefined
    })
    t.match(await dev.fail(bytes), {
      code: 'PAWL_COMPLETE_UNKNOWN',
      resumable: true,
    })
    // The next run sends the probe, hears that the upload is gone, and so on.
    const codes: string[] = []
    for (let runs = 0; runs < 3; runs++) {
      const error = await dev.fail(bytes).catch(() => undefined)
      if (error === undefined) break
      codes.push(error.code)
    }
    t.same(codes, ['PAWL_UPLOAD_GONE'], 'no log fails for ever')
    await mustBe(t, dev, bytes)
  })
  await t.test('with wrong credentials it is a failure', async (t) => {
    const dev = await smallUploads(t)
    const bytes = noise(8 * part)
    await suspendAfter(dev, bytes, 5)
    const store = smallStore(
      dev.another({
        credentials: { accessKeyId: 'dev', accessKeySecret: 'wrong' },
      }),
    )
    t.match(await dev.fail(bytes, { store }), {
      code: 'PAWL_ACCESS_DENIED',
      serverCode: 'SignatureDoesNotMatch',
      resumable: true,
    })
    await dev.run(bytes)
    await mustBe(t, dev, bytes)
  })
})

await t.test('more than 1,000 parts are listed page by page', async (t) => {
  const tiny = 64
  const dev = await smallUploads(t)
  const bytes = noise(2100 * tiny + 5)
  const options = { partSize: tiny, concurrency: 16 }
  await suspendAfter(dev, bytes, 2050, options)
  const stored = dev.seen('UploadPart').filter(({ applied }) => applied)
  t.ok(stored.length >= 2050)
  const before = dev.server.requests.length
  const result = await dev.run(bytes, options)
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('ListParts').length, 3, 'three pages')
  t.ok(result.partsReused >= 2050, `${result.partsReused} reused`)
  t.equal(dev.partsSince(before).length, 2101 - result.partsReused)
})

await t.test('a list whose pages do not advance is an error', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(4 * part)
  await suspendAfter(dev, bytes, 2)
  first(
    dev,
    'ListParts',
    {
      kind: 'status',
      status: 200,
      body: '<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>0</NextPartNumberMarker></ListPartsResult>',
    },
    99,
  )
  t.match(await dev.fail(bytes), { code: 'PAWL_RESPONSE', resumable: true })
  dev.server.setFault(undefined)
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
})

await t.test('a wrong ETag in a receipt is cured', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(4 * part)
  dev.server.setFault(({ operation, partNumber }) =>
    operation === 'UploadPart' && partNumber === 3
      ? { kind: 'wrong-etag' }
      : undefined,
  )
  t.match(await dev.fail(bytes), { code: 'PAWL_COMPLETE_REFUSED' })
  const before = dev.server.requests.length
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.same(dev.partsSince(before), [], 'its CRC-64 is that of the bytes')
})

await t.test('a wrong CRC-64 of a part sends it again', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(4 * part)
  first(dev, 'UploadPart', { kind: 'wrong-crc' }, 2)
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('UploadPart').length, 6)
})

await t.test('a wrong CRC-64 of the object is an error', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(4 * part)
  first(dev, 'CompleteMultipartUpload', { kind: 'wrong-crc' })
  t.match(await dev.fail(bytes), {
    code: 'PAWL_VERIFY_FAILED',
    resumable: true,
    completed: true,
  })
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('AbortMultipartUpload').length, 0)
})

await t.test('a reset that hides a refusal is found out', async (t) => {
  const cases: [string, SeenRequest['operation'], Fault, string][] = [
    [
      'denied',
      'ListParts',
      { kind: 'status', status: 403, code: 'AccessDenied' },
      'PAWL_ACCESS_DENIED',
    ],
    [
      'no bucket',
      'ListParts',
      { kind: 'status', status: 404, code: 'NoSuchBucket' },
      'PAWL_NO_SUCH_BUCKET',
    ],
    ['nothing wrong', 'ListParts', { kind: 'delay', ms: 0 }, 'PAWL_NETWORK'],
  ]
  for (const [name, asked, answer, code] of cases) {
    const dev = await smallUploads(t)
    dev.server.setFault(({ operation }) => {
      if (operation === 'UploadPart') return { kind: 'refuse' }
      return operation === asked ? answer : undefined
    })
    t.match(await dev.fail(noise(2 * part), { concurrency: 1 }), { code }, name)
  }
})

await t.test('an ETag that is no MD5 is no proof of anything', async (t) => {
  const dev = await smallUploads(t, { digests: 'none' })
  const bytes = noise(4 * part)
  const store = smallStore(dev.store)
  await suspendAfter(dev, bytes, 3, { store, verify: false })
  const before = dev.server.requests.length
  const result = await dev.run(bytes, { store, verify: false })
  await mustBe(t, dev, bytes)
  t.equal(result.partsReused + dev.partsSince(before).length, 4)
  t.equal(result.verified, 'none')
})

await t.test(
  'a store of one’s own that loses every first answer',
  async (t) => {
    const dev = await smallUploads(t)
    const bytes = noise(6 * part)
    const seen = new Map<string, number>()
    const store = wrapStore(smallStore(dev.store), {
      around: async (call, run) => {
        const times = (seen.get(call) ?? 0) + 1
        seen.set(call, times)
        const answer = await run()
        if (times > 1) return answer
        throw new StoreError('lost', { kind: 'network' })
      },
    })
    const result = await dev.run(bytes, { store })
    await mustBe(t, dev, bytes)
    t.match(result, { verified: 'crc64', parts: 6 })
  },
)
