/** What each call of a store fails with. */
import type { Test } from 'tap'
import { StoreError, type ObjectStore } from '../../lib/index.js'
import { noise, sha256 } from '../support/dev-store.js'
import { bodyFrom, storeCall } from '../support/store-call.js'
import { md5, sendPart } from './store-calls.js'
import { keysOf, type Target } from './target.js'

const call = storeCall({
  timeouts: { connect: 10_000, stall: 60_000, headers: 120_000 },
})

export async function storeErrors(t: Test, target: Target): Promise<void> {
  const { behaviours, partSize, other } = target
  const store = target.store(t)

  await t.test('an upload that is gone', async (t) => {
    const key = keysOf(t, target)('gone')
    const { uploadId } = await store.createUpload({ key, object: {} }, call)
    const { etag } = await sendPart(store, { key, uploadId }, 1, noise(1000))
    await store.abortUpload({ key, uploadId }, call)
    const calls = callsOf(store, key, uploadId, etag)
    t.equal(await kindOf(calls.uploadPart()), 'no-upload')
    t.equal(await kindOf(calls.listParts()), 'no-upload')
    t.equal(await kindOf(calls.abortUpload()), 'none')
    const complete = await kindOf(calls.completeUpload())
    is(t, complete, behaviours.completeOfAborted, ['no-upload', 'server'])
  })

  await t.test('an upload that is complete', async (t) => {
    const key = keysOf(t, target)('complete')
    const { uploadId } = await store.createUpload({ key, object: {} }, call)
    const bytes = noise(1000)
    const { etag } = await sendPart(store, { key, uploadId }, 1, bytes)
    const calls = callsOf(store, key, uploadId, etag)
    await calls.completeUpload()
    const listed = await kindOf(calls.listParts())
    const { partsAfterComplete: known } = behaviours
    is(t, listed, known && (known === 'gone' ? 'no-upload' : 'none'), [
      'no-upload',
      'none',
    ])
    t.equal(await kindOf(calls.abortUpload()), 'none')
    t.equal(await other.sha256(key), sha256(bytes), 'abort takes nothing away')
  })

  await t.test('a bucket that is missing', async (t) => {
    const missing = target.store(t, { bucket: 'pawl-no-such-bucket' })
    const key = `${target.prefix}object`
    for (const [name, send] of entries(missing, key)) {
      const kind = await kindOf(send())
      // An answer to HEAD has no body that could say which of the two it is.
      if (name === 'headObject') {
        t.ok(['no-bucket', 'none'].includes(kind), `${name}: ${kind}`)
      } else t.equal(kind, 'no-bucket', name)
    }
  })

  await t.test('a wrong secret, and a key that nobody has', async (t) => {
    const key = `${target.prefix}object`
    const wrong = target.store(t, { secret: 'wrong-secret' })
    for (const [name, send] of entries(wrong, key)) {
      t.equal(await kindOf(send()), 'denied', name)
    }
    const unknown = target.store(t, { accessKeyId: 'NOBODYHASTHISKEY0000' })
    for (const [name, send] of entries(unknown, key)) {
      const kind = await kindOf(send())
      // A HEAD is refused with a status and nothing else.
      const known = name === 'headObject' ? undefined : behaviours.unknownKey
      is(t, kind, known, ['credentials', 'denied'])
    }
  })

  await t.test('bytes that are not those of their MD5', async (t) => {
    const key = keysOf(t, target)('damaged')
    const wrong = {
      key,
      size: 1000,
      body: bodyFrom(noise(1000, 1)),
      md5: Buffer.from(md5(noise(1000, 2)), 'hex').toString('base64'),
    }
    const put = store.putObject({ ...wrong, object: {} }, call)
    t.equal(await kindOf(put), 'digest')
    t.equal(await store.headObject(key, call), undefined)
    const { uploadId } = await store.createUpload({ key, object: {} }, call)
    const part = store.uploadPart({ ...wrong, uploadId, partNumber: 1 }, call)
    t.equal(await kindOf(part), 'digest')
    t.same((await store.listParts({ key, uploadId }, call)).parts, [])
  })

  await t.test('a Complete that does not fit', async (t) => {
    const key = keysOf(t, target)('misfit')
    const { uploadId } = await store.createUpload({ key, object: {} }, call)
    const upload = { key, uploadId }
    const big = noise(partSize)
    const { etag: first } = await sendPart(store, upload, 1, big)
    const { etag: second } = await sendPart(store, upload, 2, noise(1000))
    const complete = (...parts: [number, string][]) =>
      kindOf(
        store.completeUpload(
          {
            ...upload,
            object: {},
            size: 0,
            parts: parts.map(([partNumber, etag]) => ({ partNumber, etag })),
          },
          call,
        ),
      )
    t.equal(await complete([1, first], [2, first]), 'invalid-part')
    t.equal(await complete([1, first], [4, second]), 'invalid-part')
    const { etag: third } = await sendPart(store, upload, 3, noise(1000, 3))
    t.equal(await complete([1, first], [2, second], [3, third]), 'too-small')
    t.equal(await store.headObject(key, call), undefined, 'nothing was made')
    const kind = await complete([1, first])
    is(t, kind, kindsOf.unnamedParts[behaviours.unnamedParts ?? 'unknown'], [
      'none',
      'invalid-part',
    ])
    if (kind === 'none') t.equal(await other.sha256(key), sha256(big))
  })

  await t.test('an object that must not be replaced', async (t) => {
    const key = keysOf(t, target)('there')
    const bytes = noise(1000)
    await other.put(key, bytes)
    const object = { forbidOverwrite: true }
    const put = await kindOf(
      store.putObject(
        { key, object, size: 3, body: bodyFrom(Buffer.from('new')) },
        call,
      ),
    )
    is(t, put, kindsOf.overwrite[behaviours.overwriteByPut ?? 'unknown'], [
      'none',
      'exists',
      'unsupported',
    ])
    await other.put(key, bytes)
    const complete = await kindOf(
      (async () => {
        // OSS refuses as early as here.
        const { uploadId } = await store.createUpload({ key, object }, call)
        const part = Buffer.from('new')
        const { etag } = await sendPart(store, { key, uploadId }, 1, part)
        const parts = [{ partNumber: 1, etag }]
        const size = part.length
        await store.completeUpload({ key, uploadId, parts, object, size }, call)
      })(),
    )
    const known = behaviours.overwriteByComplete ?? 'unknown'
    is(t, complete, kindsOf.overwrite[known], ['none', 'exists'])
    if (complete === 'exists') t.equal(await other.sha256(key), sha256(bytes))
  })
}

const kindsOf = {
  overwrite: {
    refused: 'exists',
    ignored: 'none',
    unsupported: 'unsupported',
    unknown: undefined,
  },
  unnamedParts: {
    'left-out': 'none',
    refused: 'invalid-part',
    unknown: undefined,
  },
}

/** The kind of error that a call ends with; `none` when it succeeds. */
export async function kindOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'none'
  } catch (error) {
    if (error instanceof StoreError) return error.kind
    throw error
  }
}

/** What the server is known to do, or else one of what servers do. */
function is(
  t: Test,
  found: string,
  known: string | undefined,
  possible: string[],
): void {
  if (known !== undefined) t.equal(found, known)
  else {
    t.ok(possible.includes(found), `one of ${possible.join(', ')}: ${found}`)
  }
}

function entries(store: ObjectStore, key: string) {
  return Object.entries(callsOf(store, key, 'no-such-upload', '"0"'))
}

/** Every call, with little to send. */
function callsOf(
  store: ObjectStore,
  key: string,
  uploadId: string,
  etag: string,
): Record<string, () => Promise<unknown>> &
  Record<
    'uploadPart' | 'listParts' | 'abortUpload' | 'completeUpload',
    () => Promise<unknown>
  > {
  const parts = [{ partNumber: 1, etag }]
  const body = { size: 3, body: bodyFrom(Buffer.from('abc')) }
  const object = {}
  return {
    createUpload: () => store.createUpload({ key, object }, call),
    uploadPart: () =>
      store.uploadPart({ key, uploadId, partNumber: 1, ...body }, call),
    listParts: () => store.listParts({ key, uploadId }, call),
    completeUpload: () =>
      store.completeUpload({ key, uploadId, parts, object, size: 3 }, call),
    abortUpload: () => store.abortUpload({ key, uploadId }, call),
    listUploads: () => store.listUploads({ prefix: key }, call),
    putObject: () => store.putObject({ key, object, ...body }, call),
    headObject: () => store.headObject(key, call),
  }
}
