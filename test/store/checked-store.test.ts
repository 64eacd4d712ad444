/** Stores of a caller's own: answers that are none, and errors that are not ours. */
import t from 'tap'
import { UploadError } from '../../lib/errors.js'
import { asStoreError, checkedStore } from '../../lib/store/checked-store.js'
import type { Call, ObjectStore } from '../../lib/store/object-store.js'
import { StoreError } from '../../lib/store/store-error.js'
import { storeInMemory } from '../support/hand-upload.js'

const call: Call = {
  signal: new AbortController().signal,
  timeouts: { connect: 1, stall: 1, headers: 1 },
}
const body = { key: 'k', size: 0, body: async function* () {} }

/** Every call whose answer something rests on. */
const calls: Record<
  string,
  {
    ask: (store: ObjectStore) => Promise<unknown> | undefined
    good: unknown[]
    bad: unknown[]
  }
> = {
  createUpload: {
    ask: (store) => store.createUpload({ key: 'k', object: {} }, call),
    good: [{ uploadId: 'u' }, { uploadId: 'u', date: 0 }],
    bad: [{ uploadId: '' }, { uploadId: 5 }, { uploadId: 'u', date: NaN }],
  },
  uploadPart: {
    ask: (store) =>
      store.uploadPart({ ...body, uploadId: 'u', partNumber: 1 }, call),
    good: [{ etag: '"e"' }, { etag: 'e', crc64: '7' }],
    bad: [{ etag: '' }, { etag: 5 }, { etag: 'e', crc64: 7 }],
  },
  listParts: {
    ask: (store) => store.listParts({ key: 'k', uploadId: 'u' }, call),
    good: [
      { parts: [] },
      { parts: [{ partNumber: 1, etag: 'e', size: 0 }], next: 1 },
    ],
    bad: [
      { parts: 'x' },
      { parts: [null] },
      { parts: [{ partNumber: '1', etag: 'e', size: 0 }] },
      { parts: [{ partNumber: 1, etag: 'e', size: -1 }] },
      { parts: [], next: 'x' },
    ],
  },
  completeUpload: {
    ask: (store) =>
      store.completeUpload(
        { key: 'k', uploadId: 'u', parts: [], object: {}, size: 0 },
        call,
      ),
    good: [{ etag: '' }, { etag: 'e', crc64: '1' }],
    bad: [{ etag: 5 }, { etag: 'e', crc64: 1 }],
  },
  putObject: {
    ask: (store) => store.putObject({ ...body, object: {} }, call),
    good: [{ etag: '' }],
    bad: [{ etag: 5 }],
  },
  headObject: {
    ask: (store) => store.headObject('k', call),
    good: [undefined, null, { etag: 'e', size: 1 }],
    bad: [{ etag: 'e' }, { etag: 'e', size: 1, lastModified: 'today' }],
  },
  listUploads: {
    ask: (store) => store.listUploads({}, call),
    good: [
      { uploads: [] },
      {
        uploads: [{ key: 'k', uploadId: 'u', initiated: 0 }],
        next: { keyMarker: 'k', uploadIdMarker: 'u' },
      },
    ],
    bad: [
      { uploads: {} },
      { uploads: [{ key: 'k', uploadId: 'u', initiated: 'x' }] },
      { uploads: [], next: 'x' },
    ],
  },
  getObject: {
    ask: (store) => store.getObject?.({ key: 'k', maxBytes: 9 }, call),
    good: [undefined, { etag: 'e', size: 1, bytes: new Uint8Array(1) }],
    bad: [{ etag: 'e', size: 1, bytes: 'x' }],
  },
}

for (const [name, { ask, good, bad }] of Object.entries(calls)) {
  await t.test(`${name}: an answer that is none is refused`, async (t) => {
    const answering = (answer: unknown): ObjectStore =>
      checkedStore({
        ...storeInMemory().store,
        [name]: async () => answer,
      })
    for (const answer of good) {
      t.equal(await ask(answering(answer)), answer)
    }
    const isOptional = good.includes(undefined)
    const never = isOptional ? ['x', {}] : [undefined, null, 'x', {}, []]
    for (const answer of [...never, ...bad]) {
      await t.rejects(
        ask(answering(answer)) ?? Promise.resolve(),
        { code: 'PAWL_RESPONSE', kind: 'response', message: name },
        JSON.stringify(answer) ?? 'undefined',
      )
    }
  })
}

await t.test('what is thrown becomes an answer that is not understood', (t) => {
  const cause = new TypeError('a bug')
  const error = asStoreError(cause)
  t.type(error, StoreError)
  t.match(error, { kind: 'response', message: /a bug/, cause })
  t.equal(asStoreError(error), error)
  const own = new UploadError('PAWL_CREDENTIALS', 'none')
  t.equal(asStoreError(own), own)
  for (const thrown of [undefined, null, 'x', { code: 'x' }]) {
    t.type(asStoreError(thrown), StoreError)
  }
  t.end()
})

await t.test('what is asked before any request fails as an option', (t) => {
  const { store } = storeInMemory()
  const thrown = (): never => {
    throw new TypeError('a bug')
  }
  for (const name of ['fixedHeaders', 'sentHeaders', 'canMark'] as const) {
    const checked = checkedStore({ ...store, [name]: thrown })
    t.throws(() => checked[name]?.({}), {
      code: 'PAWL_INVALID_OPTION',
      message: new RegExp(`its ${name}\\(\\) failed: a bug`),
      cause: TypeError,
    })
  }
  const headless = checkedStore({ ...store, fixedHeaders: () => 'x' as never })
  t.throws(() => headless.fixedHeaders({}), { code: 'PAWL_INVALID_OPTION' })
  t.same(checkedStore(store).sentHeaders?.({}), {})
  t.equal(checkedStore(store).canMark?.({}), true)
  t.end()
})
