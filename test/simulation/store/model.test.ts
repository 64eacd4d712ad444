/** The model of a store is a store: what the contract asks of one, it does. */
import t, { type Test } from 'tap'
import { storeCalls } from '../../contract/store-calls.js'
import type { OtherClient } from '../../contract/other-client.js'
import type { Target } from '../../contract/target.js'
import { sha256 } from '../../support/dev-store.js'
import { bodyFrom, storeCall } from '../../support/store-call.js'
import { StoreError } from '../../../lib/store/store-error.js'
import { Decisions, type Decision } from '../decisions.js'
import { DiskModel } from '../disk/model.js'
import { Process } from '../process.js'
import { Random } from '../random.js'
import { SourceDisk } from '../source-disk.js'
import { World } from '../world.js'
import type { CallName, Model } from './contract.js'
import { Heard } from './heard.js'
import { HeldRequests } from './held.js'
import { StoreModel, type Surroundings } from './model.js'
import { profileNames, profiles, type Traits } from './profiles.js'
import { StoreTruth, type StoredObject } from './truth.js'

const calls: readonly CallName[] = [
  'createUpload',
  'uploadPart',
  'listParts',
  'completeUpload',
  'abortUpload',
  'listUploads',
  'putObject',
  'headObject',
]
const noBudget = { most: 0, likely: 0 }

/** A store by itself; its clock goes on while somebody waits for a call. */
function storeOf(traits: Traits, decisions: readonly Decision[] = []) {
  const world = new World(Decisions.fromList(decisions, []))
  const truth = new StoreTruth(world, traits)
  const denied = new Set<CallName>()
  const around: Surroundings & { diskBudget: typeof noBudget } = {
    world,
    truth,
    denied,
    heard: new Heard(),
    held: new HeldRequests(world),
    makes: () => undefined,
    completes: () => undefined,
    actorOf: () => ({ name: 'the client', run: 1 }),
    lean: (rows) => rows,
    likely: (likely) => likely,
    moment: () => undefined,
    away: undefined,
    faultBudget: noBudget,
    diskBudget: noBudget,
  }
  const disk = new DiskModel('machine', around)
  const machine = {
    name: 'machine',
    disk,
    logs: disk,
    sources: new SourceDisk(world),
  }
  const process = new Process('run 1', machine, {
    world,
    random: new Random(1),
  })
  const model = new StoreModel(around, process)
  const store: Model = Object.create(model)
  for (const name of calls) {
    Object.defineProperty(store, name, {
      value: async (...args: [never, never]) => {
        const answer: Promise<unknown> = model[name](...args)
        const settled = answer.then(
          () => undefined,
          () => undefined,
        )
        await world.play(settled, () => false)
        return answer
      },
    })
  }
  return { store, truth, world, denied }
}

/** Somebody who sees what is really there. */
function otherOf(truth: StoreTruth): OtherClient {
  const find = (key: string): StoredObject => {
    const object = truth.current(key)
    if (object === undefined) throw new Error(`${key} is not there`)
    return object
  }
  const by = { name: 'another client' }
  return {
    sha256: async (key) => sha256(Buffer.from(find(key).bytes)),
    async head(key) {
      const { options, mark } = find(key)
      const { metadata, ...rest } = JSON.parse(options)
      const marked = mark === undefined ? {} : { pawl: mark }
      return { ...rest, metadata: { ...metadata, ...marked } }
    },
    async put(key, bytes) {
      truth.place(by, key, bytes, { options: '{}', mark: undefined })
    },
    async putPart(_key, uploadId, partNumber, bytes) {
      truth.uploadPart(by, { uploadId, partNumber }, bytes)
    },
    abort: async (_key, uploadId) => truth.abortUpload(by, uploadId),
    remove: async (key) => truth.deleteObject(key),
    close: () => undefined,
  }
}

function targetOf(name: keyof typeof profiles): Target {
  const traits: Traits = { ...profiles[name], page: 20 }
  const { store, truth } = storeOf(traits)
  return {
    name,
    dialect: traits.dialect,
    partSize: 5000,
    behaviours: {
      smallObjects: 'none',
      etags: traits.etags === 'md5' ? 'md5' : 'opaque',
      completeEtag: traits.completeEtag,
    },
    pages: { parts: 20, uploads: 20 },
    prefix: 'contract/',
    other: otherOf(truth),
    child: { options: {}, environment: {} },
    store: (_t: Test) => store,
  }
}

for (const name of profileNames) {
  await t.test(`a store like ${name} does its calls`, (t) =>
    storeCalls(t, targetOf(name)),
  )
}

async function kindOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return error instanceof StoreError ? error.kind : String(error)
  }
}

const key = 'key'
const bytes = Buffer.from('some bytes')

async function beginIn(store: Model, mark?: string) {
  const { uploadId } = await store.createUpload(
    { key, object: {}, mark },
    storeCall(),
  )
  const sent = await store.uploadPart(
    { key, uploadId, partNumber: 1, size: bytes.length, body: bodyFrom(bytes) },
    storeCall(),
  )
  const { etag } = sent
  const complete = () =>
    store.completeUpload(
      {
        key,
        uploadId,
        object: {},
        size: bytes.length,
        parts: [{ partNumber: 1, etag }],
      },
      storeCall(),
    )
  return { uploadId, etag, complete }
}

await t.test('what an upload is after its end', async (t) => {
  const cases = [
    { name: 'oss', again: 'no-upload', list: 'no-upload', gone: 'no-upload' },
    { name: 's3', again: 'none', list: 'no-upload', gone: 'no-upload' },
    { name: 'ceph', again: 'none', list: 'no-upload', gone: 'server' },
    { name: 'swift', again: 'none', list: 'none', gone: 'no-upload' },
  ] as const
  for (const { name, again, list, gone } of cases) {
    const { store } = storeOf(profiles[name])
    const { uploadId, complete } = await beginIn(store)
    await complete()
    t.equal(await kindOf(complete()), again, `${name}: Complete again`)
    const listing = store.listParts({ key, uploadId }, storeCall())
    t.equal(await kindOf(listing), list, `${name}: ListParts`)
    const other = await beginIn(store)
    await store.abortUpload({ key, uploadId: other.uploadId }, storeCall())
    t.equal(await kindOf(other.complete()), gone, `${name}: aborted`)
  }
})

await t.test('on Swift a late part breaks the object', async (t) => {
  const { store, truth } = storeOf(profiles.swift)
  const { uploadId, complete } = await beginIn(store)
  await complete()
  const late = Buffer.from('late bytes')
  await store.uploadPart(
    { key, uploadId, partNumber: 1, size: late.length, body: bodyFrom(late) },
    storeCall(),
  )
  t.same(truth.current(key)?.bytes, late)
})

await t.test('the object that was begun last is on top, on AWS', async (t) => {
  const { store, truth, world } = storeOf(profiles.s3)
  const { complete } = await beginIn(store)
  await world.play(world.sleep(5000), () => false)
  await otherOf(truth).put(key, Buffer.from('newer'))
  await complete()
  t.same(truth.current(key)?.bytes, Buffer.from('newer'))
  t.equal(truth.objects.at(-1)?.isShown, false)
})

await t.test('marks are shown, or dropped', async (t) => {
  const mark = '0123456789abcdef0123456789abcdef'
  for (const [marks, shown] of [
    ['kept', mark],
    ['dropped', undefined],
  ] as const) {
    const { store } = storeOf({ ...profiles.oss, marks })
    const { complete } = await beginIn(store, mark)
    await complete()
    const head = await store.headObject(key, storeCall())
    t.equal(head?.mark, shown, marks)
  }
})

await t.test('what may not be done is denied', async (t) => {
  const { store, denied } = storeOf(profiles.s3)
  denied.add('headObject')
  t.equal(await kindOf(store.headObject(key, storeCall())), 'denied')
})

await t.test('a request goes wrong in its own way', async (t) => {
  const cases = [
    { does: 'reset-before', kind: 'network', isDone: false },
    { does: 'error-before', kind: 'server', isDone: false },
    { does: 'lost-reply', kind: 'network', isDone: true },
    { does: 'error-after', kind: 'server', isDone: true },
    { does: 'silence', kind: 'timeout', isDone: false },
    { does: 'silence-after', kind: 'timeout', isDone: true },
    { does: 'cut-body', kind: 'network', isDone: false },
    { does: 'denied', kind: 'denied', isDone: false },
    { does: 'throttled', kind: 'throttled', isDone: false },
    { does: 'twice', kind: 'none', isDone: true },
  ]
  for (const { does, kind, isDone } of cases) {
    const decision = { at: 'run 1:putObject|fault', nth: 1, does, detail: 1 }
    const { store, truth } = storeOf(profiles.oss, [decision])
    const put = store.putObject(
      { key, object: {}, size: bytes.length, body: bodyFrom(bytes) },
      storeCall(),
    )
    t.equal(await kindOf(put), kind, does)
    t.equal(truth.current(key) !== undefined, isDone, does)
  }
})

await t.test('a late request is done when nobody waits for it', async (t) => {
  const decision = {
    at: 'run 1:putObject|fault',
    nth: 1,
    does: 'late-effect',
    detail: 1,
  }
  const { store, truth, world } = storeOf(profiles.oss, [decision])
  const put = store.putObject(
    { key, object: {}, size: bytes.length, body: bodyFrom(bytes) },
    storeCall(),
  )
  t.equal(await kindOf(put), 'server')
  t.equal(truth.current(key), undefined)
  await world.play(world.sleep(3_600_000), () => false)
  t.same(truth.current(key)?.bytes, bytes)
})

await t.test('damaged bytes are refused where their MD5 is told', async (t) => {
  const md5 = 'WTFZlhfbfKgF4UI2o6vsYA=='
  for (const [given, kind] of [
    [md5, 'digest'],
    [undefined, 'none'],
  ] as const) {
    const decision = {
      at: 'run 1:putObject|fault',
      nth: 1,
      does: 'damaged-body',
      detail: 1,
    }
    const { store, truth } = storeOf(profiles.oss, [decision])
    const put = store.putObject(
      {
        key,
        object: {},
        size: bytes.length,
        body: bodyFrom(bytes),
        md5: given,
      },
      storeCall(),
    )
    t.equal(await kindOf(put), kind)
    t.notSame(truth.current(key)?.bytes, bytes)
  }
})

await t.test('lists and HEAD lag behind', async (t) => {
  const traits = { ...profiles.oss, listLag: 3000, headLag: 3000 }
  const { store, world } = storeOf(traits)
  const { uploadId, complete } = await beginIn(store)
  const list = () => store.listParts({ key, uploadId }, storeCall())
  t.same((await list()).parts, [])
  await world.play(world.sleep(3000), () => false)
  t.equal((await list()).parts.length, 1)
  await complete()
  t.equal(await store.headObject(key, storeCall()), undefined)
  await world.play(world.sleep(3000), () => false)
  t.match(await store.headObject(key, storeCall()), { size: bytes.length })
})
