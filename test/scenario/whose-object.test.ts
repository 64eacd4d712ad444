/**
 * Whose the object is after a Complete whose answer was lost, where only one of
 * mark, digests and list can tell: and no log fails for ever.
 */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Fault } from '../../lib/dev-server/index.js'
import {
  StoreError,
  type ObjectOptions,
  type ObjectReceipt,
  type ObjectStore,
} from '../../lib/index.js'
import { all, besideEachOther } from '../support/beside.js'
import { noise } from '../support/dev-store.js'
import { dialects } from '../support/dialects.js'
import {
  changed,
  endUnheard,
  first,
  mustBe,
  suspendAfter,
} from '../support/lost-answers.js'
import { wrapStore } from '../support/small-store.js'
import {
  key,
  part,
  send,
  smallUploads,
  until,
  type SmallUploads,
} from '../support/small-upload.js'

const test = besideEachOther(t)

const bytes = noise(6 * part + 9)
const timeout = { complete: 1500 }
const balancer = new StoreError('504', { kind: 'server', status: 504 })

test('an object that was made with other options is not this call’s', async (t) => {
  const changes: [string, ObjectOptions, ObjectOptions][] = [
    ['content type', { contentType: 'a/b' }, { contentType: 'a/c' }],
    ['storage class', {}, { storageClass: 'IA' }],
    ['encryption', {}, { encryption: { algorithm: 'AES256' } }],
    ['metadata', { metadata: { a: '1' } }, { metadata: { a: '2' } }],
    ['acl', { acl: 'public-read' }, { acl: 'private' }],
  ]
  await all(changes, async ([name, before, now]) => {
    await all([bytes, bytes.subarray(0, 10)], async (source) => {
      const isPut = source.length < part
      const dev = await smallUploads(t)
      await endUnheard(dev, source, { object: before })
      const since = dev.server.requests.length
      const upload = dev.upload({ object: now })
      const reasons: string[] = []
      upload.on('restarted', ({ reason }) => reasons.push(reason))
      await send(upload, source)
      t.match(await upload.result, { resumed: false, partsReused: 0 }, name)
      await mustBe(t, dev, source)
      t.same(reasons, isPut ? [] : ['options-changed'])
      const asked = dev.server.requests
        .slice(since)
        .map(({ operation }) => operation)
      t.equal(asked.filter((one) => one === 'UploadPart').length, isPut ? 0 : 7)
      t.equal(asked.filter((one) => one === 'PutObject').length, isPut ? 1 : 0)
      t.notOk(asked.includes('AbortMultipartUpload'), 'it is complete')
    })
  })
})

test('an object that was made with the same options is', async (t) => {
  const object = { acl: 'private', metadata: { a: '1' } } as const
  await all([bytes, bytes.subarray(0, 10)], async (source) => {
    const dev = await smallUploads(t)
    await endUnheard(dev, source, { object })
    const since = dev.server.requests.length
    await dev.run(source, { object })
    await mustBe(t, dev, source)
    t.same(
      dev.server.requests.slice(since).map(({ operation }) => operation),
      ['HeadObject'],
    )
  })
})

/** Answers that would be believed, had no earlier one been lost. */
const refusals: [string, Fault][] = [
  ['403', { kind: 'status', status: 403, code: 'AccessDenied' }],
  ['400', { kind: 'status', status: 400, code: 'InvalidArgument' }],
  ['409', { kind: 'status', status: 409, code: 'FileAlreadyExists' }],
]

test('after an answer that was lost no refusal of Complete is believed without a look', async (t) => {
  const page =
    '<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>'
  for (const [name, refusal] of refusals) {
    for (const isDone of [true, false]) {
      const dev = await smallUploads(t)
      let completes = 0
      let looks = 0
      dev.server.setFault(({ operation }) => {
        if (operation === 'CompleteMultipartUpload') {
          if (completes++ > 0) return refusal
          return { kind: 'status', status: 504, apply: isDone }
        }
        // What it has done is not to be seen yet.
        if (completes !== 1) return undefined
        if (operation === 'HeadObject' && looks++ === 0) {
          return { kind: 'status', status: 404 }
        }
        return operation === 'ListParts'
          ? { kind: 'status', status: 200, body: page }
          : undefined
      })
      const what = `504, then ${name}, done: ${isDone}`
      if (isDone) {
        t.match(await dev.run(bytes), { verified: 'crc64' }, what)
        await mustBe(t, dev, bytes)
      } else {
        const { status } = await dev.fail(bytes)
        t.equal(`${status}`, name, what)
      }
      t.equal(completes, 2)
      t.ok(looks > 0)
    }
  }
})

/** What a server says that encrypts with keys of its own: nothing to compare. */
function opaque(store: ObjectStore): ObjectStore {
  const whole = wrapStore(store)
  const hide = <T extends { etag: string }>(answer: T) => ({
    ...answer,
    etag: answer.etag.replaceAll(/[0-9a-f]/gi, 'e'),
    crc64: undefined,
    isOpaque: true as const,
  })
  const parts = new Map<string, string>()
  whole.uploadPart = async (request, call) => {
    const receipt = await store.uploadPart(request, call)
    const hidden = `${hide(receipt).etag}${request.partNumber}`
    parts.set(hidden, receipt.etag)
    return { ...receipt, etag: hidden, isOpaque: true, crc64: undefined }
  }
  whole.completeUpload = async (request, call) =>
    hide(
      await store.completeUpload(
        {
          ...request,
          parts: request.parts.map(({ partNumber, etag }) => ({
            partNumber,
            etag: parts.get(etag) ?? etag,
          })),
        },
        call,
      ),
    )
  whole.headObject = async (name, call) => {
    const head = await store.headObject(name, call)
    return head && hide(head)
  }
  return whole
}

test('an object whose digests say nothing is known by its mark', async (t) => {
  for (const { name, store: storeOf } of dialects) {
    const dev = await smallUploads(t)
    const real = storeOf(dev)
    t.teardown(() => real.close())
    let completes = 0
    const store = wrapStore(opaque(real), {
      around: async (call, run) => {
        const answer = await run()
        if (call !== 'completeUpload') return answer
        completes++
        throw balancer
      },
    })
    const options = name === 'OSS' ? { verify: false as const } : {}
    t.match(await dev.run(bytes, { store, ...options }), { verified: 'none' })
    await mustBe(t, dev, bytes, name)
    t.equal(completes, 1)
    t.equal(dev.seen('HeadObject').length, 1, 'looked at once')
  }
})

test('where the object may not be looked at, Complete is asked again', async (t) => {
  const dev = await smallUploads(t)
  let receipt: ObjectReceipt | undefined
  let completes = 0
  const store = wrapStore(dev.small)
  // As AWS does, which answers a Complete that was carried out as it did at first.
  store.completeUpload = async (request, call) => {
    completes++
    if (receipt !== undefined) return receipt
    receipt = await dev.small.completeUpload(request, call)
    throw balancer
  }
  store.headObject = async () => {
    throw new StoreError('403', { kind: 'denied', status: 403 })
  }
  t.match(await dev.run(bytes, { store, timeout }), { size: bytes.length })
  await mustBe(t, dev, bytes)
  t.equal(completes, 2)
})

test('where neither tells, the second time in a row is not worth repeating', async (t) => {
  const dev = await smallUploads(t)
  const store = wrapStore(dev.small, {
    around: async (call, run) => {
      if (call === 'headObject') {
        throw new StoreError('403', { kind: 'denied', status: 403 })
      }
      if (call === 'completeUpload') throw balancer
      return run()
    },
  })
  const options = { store, retry: { attempts: 1 }, timeout }
  for (const transient of [true, false]) {
    t.match(await dev.fail(bytes, options), {
      code: 'PAWL_COMPLETE_UNKNOWN',
      resumable: true,
      transient,
    })
  }
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
})

/** As Swift: a completed upload is still listed, and knows no second Complete. */
function listsCompleted(store: ObjectStore): ObjectStore {
  const whole = wrapStore(store)
  const listed = new Map<
    string,
    Awaited<ReturnType<ObjectStore['listParts']>>
  >()
  whole.completeUpload = async (request, call) => {
    const { key: name, uploadId } = request
    if (!listed.has(uploadId)) {
      const before = await store.listParts({ key: name, uploadId }, call)
      listed.set(uploadId, before)
    }
    return store.completeUpload(request, call)
  }
  whole.listParts = async (request, call) =>
    listed.get(request.uploadId) ?? store.listParts(request, call)
  return whole
}

test('a server that lists completed uploads is not asked for ever', async (t) => {
  const ends: [string, (dev: SmallUploads) => Promise<unknown>][] = [
    ['replaced', (dev) => dev.run(noise(9), { checkpoint: false })],
    [
      'not to be looked at',
      async (dev) =>
        dev.server.setFault(({ operation }) =>
          operation === 'HeadObject'
            ? { kind: 'status', status: 403, code: 'AccessDenied' }
            : undefined,
        ),
    ],
  ]
  for (const [name, happens] of ends) {
    const dev = await smallUploads(t)
    const store = listsCompleted(dev.small)
    const unheard = wrapStore(store, {
      around: async (call, run) => {
        if (call === 'headObject') throw balancer
        const answer = await run()
        if (call === 'completeUpload') throw balancer
        return answer
      },
    })
    const options = { timeout, retry: { attempts: 2, baseDelay: 1 } }
    await dev.fail(bytes, { store: unheard, ...options })
    await happens(dev)
    const codes: string[] = []
    for (let runs = 0; runs < 4; runs++) {
      const error = await dev
        .fail(bytes, { store, ...options })
        .catch(() => undefined)
      if (error === undefined) break
      codes.push(error.code)
    }
    t.ok(codes.length <= 1, `${name}: ${codes.join(' ')}`)
    dev.server.setFault(undefined)
    await mustBe(t, dev, bytes, name)
  }
})

test('two machines with copies of one log do not take each other’s objects', async (t) => {
  for (const { name, store: storeOf } of dialects) {
    for (const at of [0, 3 * part, 6 * part]) {
      const dev = await smallUploads(t)
      const store = storeOf(dev)
      t.teardown(() => store.close())
      await suspendAfter(dev, bytes, 3, { store })
      const copy = join(dev.directory, 'copy.pawl')
      await copyFile(dev.log, copy)
      const theirs = changed(bytes, at)
      const error = await dev.fail(theirs, {
        store,
        checkpoint: copy,
        // The other machine sends its parts last, and completes.
        beforeComplete: async () => void (await dev.run(bytes, { store })),
      })
      t.match(
        error,
        // S3 answers the second Complete as it did the first.
        name === 'S3'
          ? { code: 'PAWL_UPLOAD_CONTENDED', resumable: false, transient: true }
          : { code: 'PAWL_UPLOAD_GONE', resumable: false, transient: true },
        `${name}: another byte at ${at}`,
      )
      t.ok(bytes.equals(await dev.object(key)))
      await dev.run(theirs, { store, checkpoint: copy })
      t.ok(theirs.equals(await dev.object(key)))
    }
  }
})

test('a late answer to one is no success of the other', async (t) => {
  const dev = await smallUploads(t)
  await suspendAfter(dev, bytes, 3)
  const copy = join(dev.directory, 'copy.pawl')
  await copyFile(dev.log, copy)
  const theirs = changed(bytes, 6 * part)
  first(dev, 'CompleteMultipartUpload', { kind: 'silence' }, 1)
  const killed = dev.upload({ checkpoint: copy })
  const sending = send(killed, theirs).catch(() => undefined)
  await until(() => dev.seen('CompleteMultipartUpload').length === 1)
  killed.destroy()
  await sending
  dev.server.setFault(undefined)
  await dev.run(bytes)
  // Its log has a Complete, and its mark is under the key: on other bytes.
  const result = await dev.run(theirs, { checkpoint: copy })
  t.match(result, { resumed: false, partsReused: 0 })
  t.ok(theirs.equals(await dev.object(key)))
})
