/**
 * What may not be overwritten and is there: made by an earlier run of this log, of
 * this source or of another, or by somebody else. A call hears whose it is, sends
 * nothing that would be refused, and the log still knows the object afterwards.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { StoreError, uploadFile, type ObjectStore } from '../../lib/index.js'
import { all, besideEachOther } from '../support/beside.js'
import { noise } from '../support/dev-store.js'
import { dialects } from '../support/dialects.js'
import {
  changed,
  endUnheard as endUnheardWith,
  first,
  mustBe,
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

type Options = Parameters<SmallUploads['run']>[1]

const test = besideEachOther(t)

const bytes = noise(4 * part + 9)
const short = noise(part - 1)
const object = { forbidOverwrite: true }

const endUnheard = (dev: SmallUploads, source: Buffer, options: Options = {}) =>
  endUnheardWith(dev, source, { object, ...options })

/** What was asked from a request on, but for looks. */
function sentSince(dev: SmallUploads, index: number): string[] {
  return dev.server.requests
    .slice(index)
    .map(({ operation }) => operation)
    .filter((name) => name !== 'HeadObject' && name !== 'ListParts')
}

test('another source is refused at its first byte that differs, and the right one still has its object', async (t) => {
  const others: [string, Buffer, Options][] = [
    ['part 1 differs', changed(bytes, 0), {}],
    ['the last part differs', changed(bytes, 4 * part), {}],
    ['it ends earlier', bytes.subarray(0, 2 * part), {}],
    ['it is less than a part', short, {}],
    ['it goes on', Buffer.concat([bytes, noise(part)]), {}],
    ['its size is told', noise(9 * part), { size: 9 * part }],
    ['other options', bytes, { object: { ...object, acl: 'private' } }],
  ]
  await all(others, async ([name, source, options]) => {
    const dev = await smallUploads(t)
    await endUnheard(dev, bytes)
    const before = dev.server.requests.length
    t.match(
      await dev.fail(source, { object, ...options }),
      {
        code: 'PAWL_ALREADY_EXISTS',
        message: /^an earlier run of this log has made the object/,
        transient: false,
      },
      name,
    )
    t.same(sentSince(dev, before), [], 'nothing was sent')
    await dev.run(bytes, { object })
    await mustBe(t, dev, bytes, name)
    t.same(sentSince(dev, before), [], 'it was there')
  })
})

test('a Complete that takes effect while the next run looks is still its own', async (t) => {
  for (const landing of ['headObject', 'listParts'] as const) {
    const dev = await smallUploads(t)
    const slow = wrapStore(dev.small)
    let complete: (() => Promise<unknown>) | undefined
    slow.completeUpload = (request, { signal }) => {
      complete = () => dev.store.completeUpload(request, storeCall())
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    }
    const upload = dev.upload({ object, store: slow })
    const sending = send(upload, bytes).catch(() => undefined)
    await until(() => complete !== undefined)
    upload.destroy()
    await sending
    const store = wrapStore(dev.small, {
      async around(call, run) {
        const answer = await run()
        if (call === landing) {
          await complete?.()
          complete = undefined
        }
        return answer
      },
    })
    const result = await dev.run(bytes, { object, store })
    t.match(result, { resumed: true, partsReused: 5 }, landing)
    await mustBe(t, dev, bytes, landing)
    t.equal(dev.seen('CompleteMultipartUpload').length, 1)
  }
})

test('an earlier proof holds where it says no less than this call’s', async (t) => {
  for (const [earlier, now] of [
    ['sha256', 'xxh64'],
    ['xxh64', 'sha256'],
  ] as const) {
    const dev = await smallUploads(t)
    const verify = false as const
    await endUnheard(dev, bytes, { proof: earlier, verify })
    const before = dev.server.requests.length
    const options = { object, proof: now, verify }
    if (now === 'xxh64') {
      t.match(await dev.run(bytes, options), { resumed: true })
      await mustBe(t, dev, bytes)
    } else {
      t.match(await dev.fail(bytes, options), {
        code: 'PAWL_ALREADY_EXISTS',
        message: /nothing proves that it is this call's/,
      })
    }
    t.same(sentSince(dev, before), [])
  }
})

test('who may not look for a moment does not lose the object', async (t) => {
  const dev = await smallUploads(t)
  await endUnheard(dev, bytes)
  first(dev, 'HeadObject', {
    kind: 'status',
    status: 403,
    code: 'AccessDenied',
  })
  const before = dev.server.requests.length
  t.match(await dev.fail(bytes, { object }), {
    code: 'PAWL_COMPLETE_UNKNOWN',
    message: /may not look .* grant the permission/,
    resumable: false,
    transient: false,
  })
  t.same(sentSince(dev, before), [], 'nothing was sent')
  await dev.run(bytes, { object })
  await mustBe(t, dev, bytes)
})

test('a put is known again where later parts would be smaller', async (t) => {
  const dev = await smallUploads(t)
  await endUnheard(dev, short)
  const before = dev.server.requests.length
  const smaller = { object, partSize: part / 4 }
  t.match(await dev.run(short, smaller), { uploadId: undefined })
  t.same(sentSince(dev, before), [])
  await mustBe(t, dev, short)
})

test('so is the put of a file', async (t) => {
  const dev = await smallUploads(t)
  const path = join(dev.directory, 'source')
  await writeFile(path, short)
  const options = { store: dev.small, key, checkpoint: dev.log, object }
  first(dev, 'PutObject', { kind: 'silence', apply: true }, 99)
  const stop = new AbortController()
  const { signal } = stop
  const sending = uploadFile(path, { ...options, signal })
  await until(() => dev.seen('PutObject')[0]?.applied === true)
  stop.abort()
  await t.rejects(sending, { code: 'PAWL_SUSPENDED' })
  dev.server.setFault(undefined)
  const before = dev.server.requests.length
  const parts = { partSize: part / 4, multipartThreshold: 0 }
  t.match(await uploadFile(path, { ...options, ...parts }), { parts: 0 })
  t.same(sentSince(dev, before), [])
  await mustBe(t, dev, short)
})

test('a Complete is not repeated over what has come meanwhile, whatever the server allows', async (t) => {
  const dev = await smallUploads(t)
  const theirs = noise(9)
  const store = wrapStore(dev.small)
  let completes = 0
  // As Ceph, which ignores the condition of Complete.
  store.completeUpload = async (request, call) => {
    if (completes++ === 0) {
      await dev.run(theirs, { checkpoint: false })
      throw new StoreError('500', { kind: 'server', status: 500 })
    }
    return dev.small.completeUpload({ ...request, object: {} }, call)
  }
  t.match(await dev.fail(bytes, { store, object }), {
    code: 'PAWL_ALREADY_EXISTS',
    resumable: true,
    transient: false,
  })
  t.ok(theirs.equals(await dev.object(key)))
  t.equal(completes, 1)
})

/** A run that ends with its Complete under way; `land` lets that arrive. */
async function endUnderWay(
  dev: SmallUploads,
  options: Options,
): Promise<() => Promise<unknown>> {
  const store = wrapStore(dev.small)
  let land = async (): Promise<unknown> => undefined
  const sent = new Promise<void>((resolve) => {
    store.completeUpload = (request, { signal }) => {
      land = () => dev.small.completeUpload(request, storeCall())
      resolve()
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    }
  })
  const killed = dev.upload({ store, ...options })
  const sending = send(killed, bytes).catch(() => undefined)
  await sent
  killed.destroy()
  await sending
  return land
}

test('a Complete that lands while the next run opens is claimed', async (t) => {
  const dev = await smallUploads(t)
  const land = await endUnderWay(dev, { object })
  const next = wrapStore(dev.small)
  next.listParts = async (...list) => {
    const listed = await dev.small.listParts(...list)
    await land()
    return listed
  }
  const result = await dev.run(bytes, { store: next, object })
  t.match(result, { resumed: true, partsReused: 5 })
  await mustBe(t, dev, bytes)
})

test('a Complete that lands before the next run’s is that one’s success, unless other options went with it', async (t) => {
  const cases: [string, Options, 'success' | 'another'][] = [
    ['the same', { object }, 'success'],
    ['another ACL', { object: { ...object, acl: 'private' } }, 'another'],
  ]
  await all(cases, async ([name, options, end]) => {
    const dev = await smallUploads(t)
    const land = await endUnderWay(dev, { object })
    const beforeComplete = async (): Promise<void> => {
      await land()
    }
    const call = { ...options, beforeComplete }
    if (end === 'success') {
      t.match(await dev.run(bytes, call), { partsReused: 5 }, name)
      await mustBe(t, dev, bytes, name)
    } else {
      t.match(await dev.fail(bytes, call), { code: 'PAWL_ALREADY_EXISTS' })
      t.ok(dev.logExists(), 'it knows the object')
    }
    t.equal(dev.seen('CompleteMultipartUpload').length, 1, 'none is repeated')
  })
})

test('one with other options that lands before the next run’s is not its success', async (t) => {
  const dev = await smallUploads(t)
  const land = await endUnderWay(dev, {})
  const beforeComplete = async (): Promise<void> => {
    await land()
  }
  const call = { object: { acl: 'private' as const } }
  t.match(await dev.fail(bytes, { ...call, beforeComplete }), {
    code: 'PAWL_UPLOAD_GONE',
    transient: true,
  })
  await dev.run(bytes, call)
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('CreateMultipartUpload').length, 2)
})

test('an upload that was completed in two sizes is known by each', async (t) => {
  const dev = await smallUploads(t)
  const store = wrapStore(dev.small)
  // Nothing can be compared but mark and size.
  const blind = <T extends object>(answer: T): T => ({
    ...answer,
    crc64: undefined,
    isOpaque: true,
  })
  store.headObject = async (...head) => {
    const found = await dev.small.headObject(...head)
    return found && blind(found)
  }
  store.completeUpload = async () => {
    throw new StoreError('403', { kind: 'denied', status: 403 })
  }
  const options = { object, verify: false as const }
  await dev.fail(bytes.subarray(0, 2 * part), { ...options, store })
  store.completeUpload = async (...complete) => {
    await dev.small.completeUpload(...complete)
    throw new StoreError('504', { kind: 'server', status: 504 })
  }
  const whole = bytes.subarray(0, 4 * part)
  t.match(await dev.run(whole, { ...options, store }), { verified: 'none' })
  await mustBe(t, dev, whole)
})

/** As a tool that rewrites objects: other bytes, as many, and the same metadata. */
async function rewrite(store: ObjectStore, source: Buffer): Promise<void> {
  const call = storeCall()
  const head = await store.headObject(key, call)
  const other = changed(source, 0)
  await store.putObject(
    {
      key,
      object: {},
      mark: head?.mark,
      size: other.length,
      body: async function* () {
        yield other
      },
    },
    call,
  )
}

/** A store whose answers have no MD5s, though they look like them. */
function withOtherEtags(store: ObjectStore): ObjectStore {
  const hide = <T extends { etag: string }>(answer: T): T => ({
    ...answer,
    etag: `"${answer.etag
      .replaceAll(/[^0-9a-f]/g, '')
      .split('')
      .toReversed()
      .join('')}"`,
  })
  const whole = wrapStore(store)
  whole.putObject = async (...put) => hide(await store.putObject(...put))
  whole.headObject = async (...head) => {
    const found = await store.headObject(...head)
    return found && hide(found)
  }
  return whole
}

test('a put is known by its MD5 too, where the store’s ETags are MD5s', async (t) => {
  const s3 = dialects.find(({ name }) => name === 'S3')
  const unknown = { code: 'PAWL_COMPLETE_UNKNOWN', transient: false }
  const cases: [
    string,
    (store: ObjectStore, dev: SmallUploads) => Promise<ObjectStore>,
    Options,
    { code: string; transient: boolean } | 'success',
  ][] = [
    ['as it was', async (store) => store, {}, 'success'],
    [
      'rewritten, by a store that nothing is known of',
      async (store) => (await rewrite(store, short), store),
      {},
      unknown,
    ],
    [
      'rewritten, and the store is known',
      async (store, dev) => {
        const checkpoint = join(dev.directory, 'elsewhere.pawl')
        await dev.run(short, { store, key: 'elsewhere', checkpoint })
        await rewrite(store, short)
        return store
      },
      {},
      { code: 'PAWL_ALREADY_EXISTS', transient: false },
    ],
    [
      'as it was, with an ETag that is no MD5',
      async (store) => withOtherEtags(store),
      {},
      unknown,
    ],
    [
      'the same, and nothing is to be compared',
      async (store) => withOtherEtags(store),
      { verify: false },
      'success',
    ],
  ]
  for (const [name, happens, options, end] of cases) {
    const dev = await smallUploads(t)
    const store = s3?.store(dev)
    if (store === undefined) throw new Error('there is an S3 dialect')
    t.teardown(() => store.close())
    await endUnheard(dev, short, { store })
    const call = { object, ...options, store: await happens(store, dev) }
    const before = dev.server.requests.length
    if (end === 'success') {
      t.match(await dev.run(short, call), { uploadId: undefined }, name)
      await mustBe(t, dev, short)
      t.same(sentSince(dev, before), [], name)
    } else {
      t.match(await dev.fail(short, call), end, name)
      t.ok(dev.logExists(), 'it is not known, so the log is kept')
    }
  }
})

test('how long a Complete was tried does not count the look before it', async (t) => {
  const dev = await smallUploads(t)
  let sentAt = 0
  const store = wrapStore(dev.small, {
    around: async (call, run) => {
      if (call === 'headObject') await delay(50)
      if (call !== 'completeUpload') return run()
      sentAt = performance.now()
      throw new StoreError('Denied.', { kind: 'denied', status: 403 })
    },
  })
  const error = await dev.fail(bytes, { store, object })
  const { attempts, elapsed = Infinity } = error
  t.equal(attempts, 1)
  t.ok(elapsed <= performance.now() - sentAt + 5, `${elapsed} ms`)
})
