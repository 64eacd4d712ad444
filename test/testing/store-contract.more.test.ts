/** Every store keeps the contract, and a case finds each way to break it. */
import { readFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import type { ObjectHead, ObjectStore } from '../../lib/index.js'
import { storeContract, type StoreSubject } from '../../lib/testing/index.js'

/** Of a server whose pages and parts are small: larger ones would show no more. */
async function served(t: Test, dialect: 'oss' | 's3'): Promise<StoreSubject> {
  const server = await startDevServer({ maxPageSize: 3, minPartSize: 1 })
  t.teardown(() => server.close())
  return {
    store: () => withSmallParts(server.store('examplebucket', dialect)),
    read(key) {
      const path = server.objectPath('examplebucket', key)
      return path === undefined ? undefined : readFile(path)
    },
  }
}

for (const dialect of ['oss', 's3'] as const) {
  await t.test(`a store of the dialect ${dialect}`, async (t) => {
    const cases = storeContract(await served(t, dialect))
    t.ok(cases.length >= 20)
    for (const { name, run } of cases) await t.test(name, run)
  })
}

/** Takes parts of any size, as the server behind it does. */
function withSmallParts(store: ObjectStore): ObjectStore {
  return changed(store, { limits: { ...store.limits, minPartSize: 1 } })
}

/** A store in which some members are others. */
function changed(
  store: ObjectStore,
  members: Partial<ObjectStore>,
): ObjectStore {
  return new Proxy(store, {
    get(target, name) {
      const own: unknown = Reflect.get(members, name)
      if (own !== undefined) return own
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** What a faulty store does, and the cases that find it. */
const faults: [
  string,
  (store: ObjectStore) => Partial<ObjectStore>,
  string[],
][] = [
  [
    'has the mark among its fixed headers',
    () => ({ fixedHeaders: ({ metadata }) => ({ ...metadata }) }),
    ['it says what it is'],
  ],
  [
    'has quotes around its ETags',
    (store) => ({
      headObject: altered(store, (head) => ({
        ...head,
        etag: `"${head.etag}"`,
      })),
    }),
    ['an object is put in one request, and looked at'],
  ],
  [
    'says another size',
    (store) => ({
      headObject: altered(store, (head) => ({ ...head, size: head.size + 1 })),
    }),
    [
      'an object is put in one request, and looked at',
      'parts in any order and at once make an object',
      'keys are taken as they are',
    ],
  ],
  [
    'completes whatever is named',
    (store) => ({
      async completeUpload(request, call) {
        const { parts } = await store.listParts(request, call)
        return store.completeUpload({ ...request, parts }, call)
      },
    }),
    [
      'a part that is sent again replaces the first',
      'a Complete that does not fit makes nothing',
    ],
  ],
  [
    'keeps the views of a body',
    (store) => ({
      async putObject(request, call) {
        const views: Uint8Array[] = []
        for await (const view of request.body()) views.push(view)
        const body = async function* () {
          yield* views
        }
        return store.putObject({ ...request, body }, call)
      },
    }),
    ['views of a body are copied before the next is asked for'],
  ],
  [
    'takes bodies of any length',
    (store) => ({
      async putObject(request, call) {
        const bytes = await wholeOf(request.body())
        const body = async function* () {
          yield bytes
        }
        return store.putObject({ ...request, size: bytes.length, body }, call)
      },
    }),
    ['bodies of the wrong length are refused'],
  ],
  [
    'stores what there is of a body that breaks',
    (store) => ({
      async putObject(request, call) {
        const body = async function* () {
          try {
            yield* request.body()
          } catch {
            yield new Uint8Array(request.size - 500)
          }
        }
        return store.putObject({ ...request, body }, call)
      },
    }),
    ['a body that breaks ends its call'],
  ],
  [
    'does not look at the MD5',
    (store) => ({
      putObject: ({ md5: _md5, ...request }, call) =>
        store.putObject(request, call),
    }),
    ['bytes that are not those of their MD5 are refused'],
  ],
  [
    'asks on after it was aborted',
    (store) => ({
      async putObject(request, call) {
        if (request.size < 1_000_000) return store.putObject(request, call)
        for await (const _view of request.body()) {
          if (call.signal.aborted) break
        }
        const late = request.body()[Symbol.asyncIterator]()
        void (async () => {
          for (let turn = 0; turn < 10; turn++) {
            await new Promise<void>((resolve) => {
              setImmediate(resolve)
            })
            await late.next()
          }
        })()
        throw new Error('aborted')
      },
    }),
    ['an aborted call has let go of its body'],
  ],
  [
    'lists one page of parts',
    (store) => ({
      async listParts(request, call) {
        const { parts } = await store.listParts(request, call)
        return { parts }
      },
    }),
    ['parts are listed in pages'],
  ],
  [
    'lists all parts after any',
    (store) => ({
      listParts: ({ after: _after, ...request }, call) =>
        store.listParts(request, call),
    }),
    ['parts are listed in pages'],
  ],
  [
    'lists uploads of any prefix',
    (store) => ({
      listUploads: ({ prefix, ...markers }, call) =>
        store.listUploads(
          { prefix: prefix?.replace(/many\/$/, ''), ...markers },
          call,
        ),
    }),
    ['uploads are listed in pages'],
  ],
  [
    'tells of uploads in seconds',
    (store) => ({
      async listUploads(request, call) {
        const page = await store.listUploads(request, call)
        return {
          ...page,
          uploads: page.uploads.map((upload) => ({
            ...upload,
            initiated: upload.initiated / 1000,
          })),
        }
      },
    }),
    ['uploads are listed in pages'],
  ],
  [
    'aborts nothing',
    () => ({ abortUpload: async () => undefined }),
    ['an upload that is aborted is gone'],
  ],
  [
    'does not know an upload that is gone',
    (store) => ({
      abortUpload: async (request, call) => {
        await store.listParts(request, call)
        await store.abortUpload(request, call)
      },
    }),
    ['an upload that is aborted is gone', 'an upload that is complete is gone'],
  ],
  [
    'decodes keys',
    (store) => ({
      createUpload: (request, call) =>
        store.createUpload(
          { ...request, key: request.key.replace('%2F', '/') },
          call,
        ),
    }),
    ['keys are taken as they are'],
  ],
  [
    'keeps no marks',
    (store) => ({
      headObject: altered(store, ({ mark: _mark, ...head }) => head),
    }),
    ['a mark is kept, and not copied'],
  ],
  [
    'replaces whatever is there',
    (store) => ({
      putObject: (request, call) =>
        store.putObject({ ...request, object: {} }, call),
    }),
    ['an object is not replaced where that is forbidden'],
  ],
  [
    'takes every upload ID for a new one',
    (store) => ({
      listParts: async () => ({ parts: [] }),
      completeUpload: (request, call) => store.completeUpload(request, call),
    }),
    ['an upload goes on after it was suspended'],
  ],
]

function altered(
  store: ObjectStore,
  change: (head: ObjectHead) => ObjectHead,
): ObjectStore['headObject'] {
  return async (key, call) => {
    const head = await store.headObject(key, call)
    return head === undefined ? undefined : change(head)
  }
}

async function wholeOf(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const views: Uint8Array[] = []
  for await (const view of body) views.push(Uint8Array.from(view))
  return Buffer.concat(views)
}

for (const [what, fault, expected] of faults) {
  await t.test(`a store that ${what} is found`, async (t) => {
    const right = await served(t, 'oss')
    const faulty = storeContract({
      ...right,
      store: async () => {
        const store = await right.store()
        return changed(store, fault(store))
      },
    })
    for (const name of expected) {
      const found = faulty.find((one) => one.name === name)
      t.ok(found, name)
      const how = await found?.run().then(
        () => 'passed',
        () => 'found',
      )
      t.equal(how, 'found', name)
    }
  })
}
