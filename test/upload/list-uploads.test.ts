import t from 'tap'
import {
  abortUploads,
  listUploads,
  type ObjectStore,
  type UnfinishedUpload,
} from '../../lib/index.js'
import type { Fault } from '../../lib/dev-server/index.js'
import { devStore, noise, smallPart } from '../support/dev-store.js'
import { wrapStore } from '../support/small-store.js'

const call = {
  signal: new AbortController().signal,
  timeouts: { connect: 60_000, stall: 60_000, headers: 60_000 },
}
const hour = 60 * 60 * 1000

async function begin(
  store: ObjectStore,
  key: string,
  parts: number,
): Promise<string> {
  const { uploadId } = await store.createUpload({ key, object: {} }, call)
  for (let partNumber = 1; partNumber <= parts; partNumber++) {
    await addPart(store, key, uploadId, partNumber)
  }
  return uploadId
}

async function addPart(
  store: ObjectStore,
  key: string,
  uploadId: string,
  partNumber: number,
): Promise<void> {
  await store.uploadPart(
    {
      key,
      uploadId,
      partNumber,
      size: smallPart,
      body: async function* () {
        yield noise(smallPart)
      },
    },
    call,
  )
}

async function all(
  uploads: AsyncIterable<UnfinishedUpload>,
): Promise<UnfinishedUpload[]> {
  const list: UnfinishedUpload[] = []
  for await (const upload of uploads) list.push(upload)
  return list
}

await t.test('uploads under a prefix come with parts and size', async (t) => {
  const { store } = await devStore(t)
  await begin(store, 'other/x', 1)
  const b = await begin(store, 'backups/b', 2)
  const a = await begin(store, 'backups/a', 0)
  const list = await all(listUploads(store, { prefix: 'backups/' }))
  t.match(list, [
    { key: 'backups/a', uploadId: a, parts: 0, size: 0 },
    { key: 'backups/b', uploadId: b, parts: 2, size: 2 * smallPart },
  ])
  for (const { age, idle } of list) t.ok(age < hour && Number(idle) < hour)
  t.equal((await all(listUploads(store))).length, 3)
})

await t.test('sizes cost requests only when they are asked for', async (t) => {
  const dev = await devStore(t)
  const { store } = dev
  await begin(store, 'a', 1)
  const [upload] = await all(listUploads(store, { sizes: false }))
  t.match(upload, { key: 'a', parts: undefined, idle: undefined })
  t.same(dev.seen('ListParts'), [])
})

await t.test('all pages are read', async (t) => {
  const dev = await devStore(t)
  const { store } = dev
  const count = 210
  const ids = new Set<string>()
  while (ids.size < count) {
    const begun = Array.from({ length: 15 }, (_, i) =>
      begin(store, `many/${ids.size + i}`, 0),
    )
    for (const uploadId of await Promise.all(begun)) ids.add(uploadId)
  }
  const list = await all(listUploads(store, { prefix: 'many', sizes: false }))
  t.equal(list.length, count)
  t.ok(list.every(({ uploadId }) => ids.has(uploadId)))
  t.equal(dev.seen('ListMultipartUploads').length, 2)
})

await t.test('without the clock of the server no upload is old', async (t) => {
  const { store } = await devStore(t)
  const uploadId = await begin(store, 'backups/a', 1)
  const noClock = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (name === 'listUploads') {
        return async (...asked: Parameters<ObjectStore['listUploads']>) => ({
          ...(await target.listUploads(...asked)),
          date: undefined,
        })
      }
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  t.same(await abortUploads(noClock, { olderThan: 0 }), [])
  const [left] = await all(listUploads(store))
  t.match(left, { uploadId, parts: 1 })
})

/** The same server `ms` later; parts of `fresh` were stored only then. */
function later(store: ObjectStore, ms: number, fresh: string): ObjectStore {
  const changed: Partial<ObjectStore> = {
    listUploads: async (request, call) => {
      const page = await store.listUploads(request, call)
      return { ...page, date: (page.date ?? Date.now()) + ms }
    },
    listParts: async (request, call) => {
      const page = await store.listParts(request, call)
      if (request.uploadId !== fresh) return page
      const moved = page.parts.map(({ lastModified = 0, ...part }) => ({
        ...part,
        lastModified: lastModified + ms,
      }))
      return { ...page, parts: moved }
    },
  }
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(
        name in changed ? changed : target,
        name,
        target,
      )
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

await t.test('only what is older is aborted, by its newest part', async (t) => {
  const { store: now, server } = await devStore(t)
  const old = await begin(now, 'backups/old', 1)
  const empty = await begin(now, 'backups/empty', 0)
  const busy = await begin(now, 'backups/busy', 2)
  const elsewhere = await begin(now, 'elsewhere', 1)
  const store = later(now, 3 * hour, busy)

  const prefix = 'backups/'
  t.same(await abortUploads(store, { prefix, olderThan: 4 * hour }), [])
  const gone = await abortUploads(store, { prefix, olderThan: 2 * hour })
  t.same(
    gone.map(({ uploadId }) => uploadId),
    [empty, old],
  )
  t.ok(gone.every(({ age }) => Math.abs(age - 3 * hour) < 60_000))
  t.same(
    server
      .openUploads()
      .map(({ uploadId }) => uploadId)
      .toSorted(),
    [busy, elsewhere].toSorted(),
  )
})

await t.test(
  'an upload whose parts cannot be listed is left alone',
  async (t) => {
    const { store, server } = await devStore(t)
    await begin(store, 'a', 1)
    server.setFault(({ operation }) =>
      operation === 'ListParts'
        ? { kind: 'status', status: 403, code: 'AccessDenied' }
        : undefined,
    )
    t.match(await all(listUploads(store)), [{ idle: undefined }])
    t.same(await abortUploads(store, { olderThan: 0 }), [])
    t.equal(server.openUploads().length, 1)
  },
)

await t.test('a refused list is an error', async (t) => {
  const { store, server } = await devStore(t)
  server.setFault(() => ({ kind: 'status', status: 403, code: 'AccessDenied' }))
  await t.rejects(abortUploads(store, { olderThan: 1 }), {
    code: 'PAWL_ACCESS_DENIED',
  })
})

await t.test('a failing server is asked again', async (t) => {
  const { store, server } = await devStore(t)
  await begin(store, 'a', 1)
  let failures = 0
  server.setFault(() =>
    failures++ < 2 ? { kind: 'status', status: 503 } : undefined,
  )
  const retry = { attempts: 5, baseDelay: 1, maxDelay: 2 }
  t.equal((await all(listUploads(store, { retry }))).length, 1)
})

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'it has not failed',
    (error: unknown) => error,
  )
}

await t.test('a failure says whether to repeat the call', async (t) => {
  const faults: [Fault, boolean][] = [
    [{ kind: 'status', status: 500 }, true],
    [{ kind: 'refuse' }, true],
    [{ kind: 'status', status: 403, code: 'AccessDenied' }, false],
    [{ kind: 'status', status: 400, code: 'InvalidArgument' }, false],
  ]
  const retry = { attempts: 2, baseDelay: 1, maxDelay: 2 }
  for (const operation of [
    'ListMultipartUploads',
    'AbortMultipartUpload',
  ] as const) {
    for (const [fault, transient] of faults) {
      const { store: real, server } = await devStore(t)
      await begin(real, 'a', 1)
      const store = wrapStore(real)
      // By the server's clock it is old.
      store.listUploads = async (...list) => {
        const answer = await real.listUploads(...list)
        return { ...answer, date: Date.now() + hour }
      }
      server.setFault((request) =>
        request.operation === operation ? fault : undefined,
      )
      const aborting = abortUploads(store, { olderThan: 0, retry })
      t.match(await failureOf(aborting), { resumable: false, transient })
    }
  }
})

await t.test('bad options are refused', async (t) => {
  const { store } = await devStore(t)
  for (const olderThan of [-1, Number.NaN, undefined as never]) {
    await t.rejects(abortUploads(store, { olderThan }), {
      code: 'PAWL_INVALID_OPTION',
    })
  }
  t.throws(() => listUploads({} as never), { code: 'PAWL_INVALID_OPTION' })
})

await t.test('an answer that is no list is an error', async (t) => {
  const { store, server } = await devStore(t)
  const upload = (fields: string) => `<Upload>${fields}</Upload>`
  const key = '<Key>a</Key>'
  const id = '<UploadId>1</UploadId>'
  const date = '<Initiated>2026-01-05T00:00:00.000Z</Initiated>'
  const rows: [string, string][] = [
    ['a key that is no text', upload(`<Key>%E0%A4</Key>${id}${date}`)],
    ['no key', upload(id + date)],
    ['no ID', upload(key + date)],
    ['no time', upload(key + id)],
    ['a page that is followed by itself', '<IsTruncated>true</IsTruncated>'],
  ]
  for (const [name, content] of rows) {
    server.setFault(() => ({
      kind: 'status',
      status: 200,
      body: `<ListMultipartUploadsResult><EncodingType>url</EncodingType>${content}</ListMultipartUploadsResult>`,
    }))
    const retry = { attempts: 5, baseDelay: 1, maxDelay: 2 }
    const listed = all(listUploads(store, { sizes: false, retry }))
    await t.rejects(listed, { code: 'PAWL_RESPONSE' }, name)
  }
})

await t.test('pages of a store of one’s own have to advance', async (t) => {
  const { store } = await devStore(t)
  const next = { keyMarker: 'a', uploadIdMarker: '1' }
  const stuck: ObjectStore = {
    ...wrapStore(store),
    listUploads: async () => ({ uploads: [], next }),
  }
  await t.rejects(all(listUploads(stuck)), { code: 'PAWL_RESPONSE' })
})
