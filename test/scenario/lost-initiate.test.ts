/** Answers to Initiate that were lost, and the uploads that they leave behind. */
import t from 'tap'
import type { Test } from 'tap'
import { StoreError } from '../../lib/store/store-error.js'
import { besideEachOther } from '../support/beside.js'
import { noise } from '../support/dev-store.js'
import { first, lost, mustBe, timeoutsFor } from '../support/lost-answers.js'
import { smallStore, wrapStore } from '../support/small-store.js'
import { key, part, send, smallUploads } from '../support/small-upload.js'
import { storeCall } from '../support/store-call.js'

// One at a time: a test moves the clock of the whole process.
const test = besideEachOther(t, 1)

test('a lost answer to Initiate costs an empty upload', async (t) => {
  for (const [name, fault] of lost) {
    const dev = await smallUploads(t)
    const bytes = noise(3 * part + 7)
    first(dev, 'CreateMultipartUpload', fault)
    await dev.run(bytes, timeoutsFor(fault))
    await mustBe(t, dev, bytes, name)
    t.same(
      dev.server.openUploads().map(({ parts }) => parts),
      [0],
      'one orphan, without parts, too young to be touched',
    )
    t.equal(dev.seen('AbortMultipartUpload').length, 0)
  }
})

test('an orphan is aborted when the rule allows it', async (t) => {
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

test('an orphan that cannot be listed is left alone', async (t) => {
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

test('an Initiate that may have been heard stays in the log, whatever the next one is told', async (t) => {
  const refused = {
    kind: 'status',
    status: 403,
    code: 'AccessDenied',
  } as const
  for (const [answers, isKept] of [
    [[{ kind: 'reply-lost' }, refused], true],
    [[refused], false],
  ] as const) {
    const dev = await smallUploads(t)
    let asked = 0
    dev.server.setFault(({ operation }) =>
      operation === 'CreateMultipartUpload' ? answers[asked++] : undefined,
    )
    const error = await dev.fail(noise(2 * part))
    t.equal(error.code, 'PAWL_ACCESS_DENIED')
    t.equal(dev.logExists(), isKept)
  }
})

test('so does one that was sent again without its mark', async (t) => {
  const dev = await smallUploads(t)
  const store = wrapStore(dev.small)
  const failures: StoreError[] = [
    new StoreError('400', { kind: 'request', status: 400 }),
    new StoreError('504', { kind: 'server', status: 504 }),
    new StoreError('403', { kind: 'denied', status: 403 }),
  ]
  const marks: boolean[] = []
  store.createUpload = async ({ mark }) => {
    const failure = failures[marks.length] ?? new Error('asked once more')
    marks.push(mark !== undefined)
    throw failure
  }
  const error = await dev.fail(noise(2 * part), { store })
  t.equal(error.code, 'PAWL_ACCESS_DENIED')
  t.same(marks, [true, false, false])
  t.ok(dev.logExists(), 'the second may have begun an upload')
})
