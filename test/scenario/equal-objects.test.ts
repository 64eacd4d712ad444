/**
 * Equal is not ours: an object of the same bytes may be last night's, or another
 * client's with other metadata. It is never taken for what this upload makes.
 */
import t from 'tap'
import type { Fault } from '../../lib/dev-server/index.js'
import { StoreError, type ObjectStore } from '../../lib/index.js'
import { all, besideEachOther } from '../support/beside.js'
import { noise } from '../support/dev-store.js'
import { dialects } from '../support/dialects.js'
import { changed, first, mustBe, putPlain } from '../support/lost-answers.js'
import { wrapStore } from '../support/small-store.js'
import {
  key,
  part,
  send,
  smallUploads,
  until,
  type SmallUploads,
} from '../support/small-upload.js'
import { storeCall } from '../support/store-call.js'

const test = besideEachOther(t)

/** Whose the equal object is: another pawl's, or a client's that sends no mark. */
const owners = [
  { owner: "another upload's", mark: true },
  { owner: 'another client’s', mark: false },
]

interface Scene {
  name: string
  dev: SmallUploads
  store: ObjectStore
  /** Puts the same bytes under the key, with other metadata. */
  putTheirs: (bytes: Buffer) => Promise<unknown>
  /** The mark under the key. */
  mark: () => Promise<string | undefined>
  /** Marks that this upload has sent with a call, in order. */
  sent: (operation: 'CreateMultipartUpload' | 'PutObject') => unknown[]
}

/** Each dialect with each owner, beside each other. */
async function scenes(
  t: Parameters<Parameters<typeof test>[1]>[0],
  play: (scene: Scene) => Promise<void>,
): Promise<void> {
  const pairs = dialects.flatMap((dialect) =>
    owners.map((owner) => ({ ...dialect, ...owner })),
  )
  await all(pairs, async ({ name, store: storeOf, header, owner, mark }) => {
    const dev = await smallUploads(t)
    const store = storeOf(dev)
    t.teardown(() => store.close())
    const object = { contentType: 'application/x-theirs' }
    await play({
      name: `${name}, ${owner}`,
      dev,
      store,
      putTheirs: (bytes) =>
        dev.run(bytes, { store, checkpoint: false, mark, object }),
      mark: async () => (await store.headObject(key, storeCall()))?.mark,
      sent: (operation) =>
        dev
          .seen(operation)
          .filter(({ headers }) => headers['content-type'] === ours)
          .map(({ headers }) => headers[header]),
    })
  })
}

const ours = 'application/x-ours'
const object = { contentType: ours }
const failing: [string, Fault][] = [
  ['500', { kind: 'status', status: 500 }],
  ['504', { kind: 'status', status: 504 }],
  ['a reset', { kind: 'refuse' }],
]

const cutOff: [string, Fault] = [
  'an answer that is cut off',
  { kind: 'status', status: 200, body: '<a' },
]

test('a Complete that failed before any effect is made good, whatever equal object is there', async (t) => {
  await scenes(t, async ({ name, dev, store, putTheirs, mark, sent }) => {
    const bytes = noise(3 * part + 1)
    for (const [answer, fault] of [...failing, cutOff]) {
      await putTheirs(bytes)
      const before = dev.seen('CompleteMultipartUpload').length
      first(dev, 'CompleteMultipartUpload', fault)
      await dev.run(bytes, { store, object })
      await mustBe(t, dev, bytes)
      t.equal(await mark(), sent('CreateMultipartUpload').at(-1), name)
      t.equal(
        dev.seen('CompleteMultipartUpload').length - before,
        2,
        `${name}: ${answer}, and once more`,
      )
      t.same(dev.server.openUploads(), [])
    }
  })
})

test('a run that died before its Complete left goes on, whatever equal object is there', async (t) => {
  const bytes = noise(3 * part + 1)
  const changes = [
    ['nothing', bytes, 4],
    ['the first part', changed(bytes, 5), 3],
    ['the last part', changed(bytes, 3 * part), 3],
    ['the length', bytes.subarray(0, 2 * part), 2],
  ] as const
  await all(changes, async ([change, source, partsReused]) => {
    await scenes(t, async ({ name, dev, store, putTheirs, mark, sent }) => {
      await putTheirs(bytes)
      first(dev, 'CompleteMultipartUpload', { kind: 'silence' }, 99)
      const upload = dev.upload({ store, object })
      const sending = send(upload, bytes).catch(() => undefined)
      const before = dev.seen('CompleteMultipartUpload').length
      await until(() => dev.seen('CompleteMultipartUpload').length > before)
      upload.destroy()
      await sending
      dev.server.setFault(undefined)
      const { uploadId } = upload
      const result = await dev.run(source, { store, object })
      t.match(
        result,
        { uploadId, resumed: true, partsReused },
        `${name}: ${change} has changed`,
      )
      await mustBe(t, dev, source)
      t.equal(await mark(), sent('CreateMultipartUpload').at(-1))
      t.equal(sent('CreateMultipartUpload').length, 1)
      t.same(dev.server.openUploads(), [], 'nothing is left open')
    })
  })
})

test('a PutObject that failed before any effect is sent again, whatever equal object is there', async (t) => {
  await scenes(t, async ({ name, dev, store, putTheirs, mark, sent }) => {
    const bytes = noise(part - 1)
    for (const [answer, fault] of failing) {
      await putTheirs(bytes)
      const before = sent('PutObject').length
      first(dev, 'PutObject', fault)
      await dev.run(bytes, { store, object })
      await mustBe(t, dev, bytes)
      t.equal(await mark(), sent('PutObject').at(-1), `${name}: ${answer}`)
      t.equal(sent('PutObject').length - before, 2)
    }
  })
})

test('where overwriting is forbidden an equal object is an object, in each run', async (t) => {
  await scenes(t, async ({ name, dev, store, putTheirs }) => {
    for (const size of [3 * part, part - 1]) {
      const bytes = noise(size)
      await putTheirs(bytes)
      for (const run of ['first', 'second']) {
        const before = dev.server.requests.length
        t.match(
          await dev.fail(bytes, {
            store,
            object: { ...object, forbidOverwrite: true },
          }),
          { code: 'PAWL_ALREADY_EXISTS', resumable: false, transient: false },
          `${name}: the ${run} run`,
        )
        t.same(
          dev.server.requests.slice(before).map(({ operation }) => operation),
          ['HeadObject'],
          'before the first byte',
        )
        t.same(dev.server.openUploads(), [])
        t.notOk(dev.logExists())
      }
    }
  })
})

test('where overwriting is forbidden an equal object that comes meanwhile is kept', async (t) => {
  await scenes(t, async ({ name, dev, store, putTheirs, mark }) => {
    const bytes = noise(3 * part)
    const forbidding = { ...object, forbidOverwrite: true }
    t.match(
      await dev.fail(bytes, {
        store,
        object: forbidding,
        beforeComplete: async () => void (await putTheirs(bytes)),
      }),
      { code: 'PAWL_ALREADY_EXISTS', resumable: true, transient: false },
      name,
    )
    const theirs = await mark()
    t.match(await dev.fail(bytes, { store, object: forbidding }), {
      code: 'PAWL_ALREADY_EXISTS',
      resumable: true,
      transient: false,
    })
    t.equal(await mark(), theirs)
    const upload = dev.upload({ store, object: forbidding })
    await upload.discard()
    t.same(dev.server.openUploads(), [])
  })
})

test('an open upload is discarded, whatever equal object is there', async (t) => {
  await scenes(t, async ({ name, dev, store, putTheirs, mark }) => {
    const bytes = noise(3 * part)
    for (const isSent of [false, true]) {
      // Stopped with all parts stored, before or after a Complete was sent.
      if (isSent) {
        first(dev, 'CompleteMultipartUpload', { kind: 'refuse' }, 99)
      }
      await dev.fail(bytes, {
        store,
        object,
        retry: { attempts: 1 },
        beforeComplete: () => {
          if (!isSent) throw new Error('not yet')
        },
      })
      dev.server.setFault(undefined)
      await putTheirs(bytes)
      const theirs = await mark()
      t.equal(dev.server.openUploads().length, 1)
      await dev.upload({ store, object }).discard()
      t.same(dev.server.openUploads(), [], `${name}, sent: ${isSent}`)
      t.notOk(dev.logExists())
      t.equal(await mark(), theirs, 'their object is left alone')
      t.ok(bytes.equals(await dev.object(key)))
    }
  })
})

test('where another object may take precedence an equal one is told apart', async (t) => {
  await scenes(t, async ({ name, dev, store }) => {
    const bytes = noise(3 * part)
    const superseding: ObjectStore = {
      ...wrapStore(store, {
        around: async (call, run) => {
          const answer = await run()
          if (call === 'completeUpload') await putPlain(store, bytes)
          return answer
        },
      }),
      precedence: 'initiate',
    }
    const result = await dev.run(bytes, { store: superseding, object })
    t.match(result, { current: false, etag: /-3$/ }, name)
  })
})

test('a PutObject that is refused at once has not made the equal object', async (t) => {
  await scenes(t, async ({ name, dev, store }) => {
    const bytes = noise(part - 1)
    const markless: ObjectStore = {
      ...wrapStore(store, {
        around: async (call, run) => {
          if (call === 'putObject') await putPlain(store, bytes)
          return run()
        },
      }),
      keepsMetadata: false,
    }
    const forbidding = { ...object, forbidOverwrite: true }
    t.match(
      await dev.fail(bytes, { store: markless, object: forbidding }),
      { code: 'PAWL_ALREADY_EXISTS', transient: false },
      name,
    )
  })
})

test('an object that gets no mark is told of once', async (t) => {
  const whole = noise(3 * part)
  const short = noise(9)
  const refused = new StoreError('400', { kind: 'request', status: 400 })
  const cases: [string, Buffer, Partial<ObjectStore>, string[]][] = [
    ['a mark that fits', whole, {}, []],
    ['no room, parts', whole, { canMark: () => false }, ['no-room']],
    ['no room, one request', short, { canMark: () => false }, ['no-room']],
    ['metadata is refused', whole, {}, ['refused']],
    ['metadata is refused, one request', short, {}, ['refused']],
  ]
  for (const [name, bytes, traits, reasons] of cases) {
    const dev = await smallUploads(t)
    const store = { ...wrapStore(dev.small), ...traits }
    if (reasons.includes('refused')) {
      store.createUpload = async (request, call) => {
        if (request.mark !== undefined) throw refused
        return dev.small.createUpload(request, call)
      }
      store.putObject = async (request, call) => {
        if (request.mark !== undefined) throw refused
        return dev.small.putObject(request, call)
      }
    }
    const told: string[] = []
    const upload = dev.upload({ store })
    upload.on('unmarked', ({ reason }) => told.push(reason))
    await send(upload, bytes)
    t.same(told, reasons, name)
    const head = await dev.small.headObject(key, storeCall())
    t.equal(head?.mark === undefined, reasons.length > 0, name)
  }
  // Asked for, it needs no word.
  const dev = await smallUploads(t)
  const upload = dev.upload({ mark: false })
  upload.on('unmarked', () => t.fail('it was to have none'))
  await send(upload, whole)
})
