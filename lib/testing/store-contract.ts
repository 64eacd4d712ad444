/** What every object store has to do, as cases for any test runner. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  createResumableUploadStream,
  memoryCheckpoint,
  UploadError,
  type Body,
} from '../index.js'
import { noise, type ContractCase } from './contract-case.js'
import {
  bodyOf,
  call,
  mustBeOf,
  refusal,
  StoreBench,
  type StoreSubject,
} from './store-bench.js'

export type { StoreSubject }

/**
 * The contract of an `ObjectStore`: a case for each sentence of it, and one
 * upload that is suspended and goes on. Keys are new in each case; the objects
 * are left, unfinished uploads are not.
 *
 * @example
 * import { test } from 'node:test'
 * import { storeContract } from 'pawl/testing'
 *
 * const cases = storeContract({
 *   store: () => directoryStore('objects'),
 *   read: (key) => readObject('objects', key),
 * })
 * for (const { name, run } of cases) test(name, run)
 */
export function storeContract(subject: StoreSubject): ContractCase[] {
  return rows.map(([name, body]) => ({
    name,
    run: async () => {
      const store = await subject.store()
      try {
        await body(new StoreBench(store, subject))
      } finally {
        await store.close()
      }
    },
  }))
}

const rows: [string, (bench: StoreBench) => Promise<void>][] = [
  ['it says what it is', saysWhatItIs],
  ['an object is put in one request, and looked at', putsObjects],
  ['an object is replaced by the next', replacesObjects],
  ['parts in any order and at once make an object', takesPartsInAnyOrder],
  ['a part that is sent again replaces the first', replacesParts],
  ['a part can be left out', leavesPartsOut],
  ['views of a body are copied before the next is asked for', copiesViews],
  ['bodies of the wrong length are refused', refusesWrongLengths],
  ['a body that breaks ends its call', refusesBrokenBodies],
  ['bytes that are not those of their MD5 are refused', refusesWrongDigests],
  ['an aborted call has let go of its body', letsGoOfBodies],
  ['parts are listed in pages', listsParts],
  ['uploads are listed in pages', listsUploads],
  ['an upload that is aborted is gone', forgetsAborted],
  ['an upload that is complete is gone', forgetsComplete],
  ['a Complete that does not fit makes nothing', refusesMisfits],
  ['keys are taken as they are', takesKeys],
  ['a mark is kept, and not copied', keepsMarks],
  ['an object is not replaced where that is forbidden', keepsWhatIsThere],
  ['an upload goes on after it was suspended', goesOn],
]

async function saysWhatItIs({ store }: StoreBench): Promise<void> {
  const { identity, limits, digest } = store
  assert.ok(identity.length > 0, 'identity')
  const { minPartSize, maxPartSize, maxParts, maxPutSize } = limits
  assert.ok(minPartSize <= maxPartSize, 'minPartSize is above maxPartSize')
  assert.ok(maxParts >= 1 && maxPutSize >= 0, 'maxParts, maxPutSize')
  assert.ok(['crc64ecma', 'crc64nvme', 'md5', 'none'].includes(digest), digest)
  const object = { contentType: 'text/plain', metadata: { pawl: mark() } }
  const headers = store.fixedHeaders(object)
  assert.deepEqual(headers, store.fixedHeaders(object), 'fixedHeaders() twice')
  const values = Object.values(headers)
  assert.ok(!values.includes(object.metadata.pawl), 'a mark in fixedHeaders()')
}

async function putsObjects(bench: StoreBench): Promise<void> {
  await bench.isAbsent(bench.key('absent'))
  for (const size of [0, 1, 300_000]) {
    if (size > bench.store.limits.maxPutSize) continue
    const key = bench.key(`put-${size}`)
    const bytes = noise(size, size + 1)
    const { etag } = await bench.put(key, bytes)
    await bench.is(key, bytes)
    const head = await bench.store.headObject(key, call())
    assert.equal(head?.etag, etag, 'the ETag that HEAD says')
    assert.ok(!head.etag.includes('"'), 'an ETag with quotes')
  }
}

async function replacesObjects(bench: StoreBench): Promise<void> {
  const key = bench.key('replaced')
  await bench.put(key, noise(900, 1))
  await bench.put(key, noise(30, 2))
  await bench.is(key, noise(30, 2))
}

async function takesPartsInAnyOrder(bench: StoreBench): Promise<void> {
  const { partSize } = bench
  const upload = await bench.begun('parts')
  const bytes = noise(3 * partSize + 123, 7)
  const partOf = (n: number) => bytes.subarray((n - 1) * partSize, n * partSize)
  const last = await bench.send(upload, 4, partOf(4))
  const others = await Promise.all(
    [3, 1, 2].map((n) => bench.send(upload, n, partOf(n))),
  )
  await bench.isAbsent(upload.key)
  const parts = [...others, last].toSorted(
    (one, other) => one.partNumber - other.partNumber,
  )
  const listed = await bench.parts(upload)
  assert.deepEqual(
    listed.map(({ partNumber, size }) => [partNumber, size]),
    [1, 2, 3, 4].map((n) => [n, partOf(n).length]),
    'the parts that are listed',
  )
  await bench.complete(upload, bytes.length, parts)
  await bench.is(upload.key, bytes)
  assert.deepEqual(await bench.uploads(upload.key), [], 'unfinished uploads')
}

async function replacesParts(bench: StoreBench): Promise<void> {
  const upload = await bench.begun('part-twice')
  const old = await bench.send(upload, 1, noise(100, 1))
  const part = await bench.send(upload, 1, noise(90, 2))
  assert.deepEqual(await bench.partNumbers(upload), [1])
  await refusal(bench.complete(upload, 100, [old]), 'invalid-part')
  await bench.complete(upload, 90, [part])
  await bench.is(upload.key, noise(90, 2))
}

async function leavesPartsOut(bench: StoreBench): Promise<void> {
  const upload = await bench.begun('part-left-out')
  const bytes = noise(bench.partSize)
  const first = await bench.send(upload, 1, bytes)
  await bench.send(upload, 2, noise(100))
  try {
    await bench.complete(upload, bytes.length, [first])
  } catch (error) {
    // Some servers want every stored part to be named.
    mustBeOf(error, 'invalid-part')
    await bench.isAbsent(upload.key)
    return bench.abort(upload)
  }
  await bench.is(upload.key, bytes)
}

async function copiesViews(bench: StoreBench): Promise<void> {
  const bytes = noise(200_000)
  const view = new Uint8Array(7000)
  const body: Body = async function* () {
    for (let at = 0; at < bytes.length; at += view.length) {
      const piece = bytes.subarray(at, at + view.length)
      view.set(piece)
      yield view.subarray(0, piece.length)
      view.fill(0)
    }
  }
  const key = bench.key('views')
  const { length: size } = bytes
  await bench.store.putObject({ key, object: {}, size, body }, call())
  view.fill(0)
  await bench.is(key, bytes)
}

async function refusesWrongLengths(bench: StoreBench): Promise<void> {
  const upload = await bench.begun('wrong-length')
  const bytes = noise(1000)
  for (const size of [999, 1001]) {
    const key = bench.key(`wrong-length-${size}`)
    const body = bodyOf(bytes)
    const put = bench.store.putObject({ key, object: {}, size, body }, call())
    await refusal(put)
    await bench.isAbsent(key)
    const part = { ...upload, partNumber: 1, size, body }
    await refusal(bench.store.uploadPart(part, call()))
  }
  assert.deepEqual(await bench.partNumbers(upload), [], 'what was stored')
  await bench.abort(upload)
}

async function refusesBrokenBodies(bench: StoreBench): Promise<void> {
  const key = bench.key('broken')
  const body: Body = async function* () {
    yield noise(500)
    throw new Error('the body broke')
  }
  const put = { key, object: {}, size: 1000, body }
  await assert.rejects(
    bench.store.putObject(put, call()),
    'a body that breaks has to end its call',
  )
  await bench.isAbsent(key)
}

async function refusesWrongDigests(bench: StoreBench): Promise<void> {
  const key = bench.key('damaged')
  const bytes = noise(1000)
  const put = { key, object: {}, size: 1000, body: bodyOf(bytes) }
  const md5 = md5Of(noise(1000, 2))
  await refusal(bench.store.putObject({ ...put, md5 }, call()), 'digest')
  await bench.isAbsent(key)
  await bench.store.putObject({ ...put, md5: md5Of(bytes) }, call())
  await bench.is(key, bytes)
}

async function letsGoOfBodies(bench: StoreBench): Promise<void> {
  const stop = new AbortController()
  const view = noise(64 * 1024)
  let asked = 0
  const body: Body = async function* () {
    for (;;) {
      if ((asked += 1) === 3) stop.abort()
      yield view
    }
  }
  const key = bench.key('aborted-call')
  const size = Math.min(64 * 1024 * 1024, bench.store.limits.maxPutSize)
  const put = { key, object: {}, size, body }
  await assert.rejects(
    bench.store.putObject(put, { ...call(), signal: stop.signal }),
    'an aborted call has to reject',
  )
  const before = asked
  for (let turn = 0; turn < 20; turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
  assert.equal(asked, before, 'views asked for after the call had settled')
  await bench.isAbsent(key)
}

async function listsParts(bench: StoreBench): Promise<void> {
  const upload = await bench.begun('many-parts')
  const numbers = [1, 2, 5, 9, 10, 11, 100].filter(
    (n) => n <= bench.store.limits.maxParts,
  )
  for (const n of numbers) await bench.send(upload, n, noise(n))
  const listed = await bench.parts(upload)
  assert.deepEqual(
    listed.map(({ partNumber, size }) => [partNumber, size]),
    numbers.map((n) => [n, n]),
    'in ascending order, and all of them',
  )
  const later = await bench.store.listParts({ ...upload, after: 5 }, call())
  assert.equal(later.parts[0]?.partNumber, 9, 'parts after 5')
  await bench.abort(upload)
}

async function listsUploads(bench: StoreBench): Promise<void> {
  const { store } = bench
  const folder = bench.key('')
  const wanted: string[] = []
  for (const name of ['b', 'a', 'b', 'c/d']) {
    const key = `${folder}many/${name}`
    const { uploadId } = await store.createUpload({ key, object: {} }, call())
    wanted.push(`${key} ${uploadId}`)
  }
  const other = { key: `${folder}other`, object: {} }
  const outside = await store.createUpload(other, call())
  const listed = await bench.uploads(`${folder}many/`)
  const names = listed.map(({ key, uploadId }) => `${key} ${uploadId}`)
  assert.deepEqual(names, wanted.toSorted(), 'ordered by key, then by ID')
  for (const { initiated } of listed) {
    assert.ok(initiated > 1e12, `initiated: ${initiated}, in ms since 1970`)
  }
  for (const upload of listed) await bench.abort(upload)
  await bench.abort({ key: other.key, uploadId: outside.uploadId })
  assert.deepEqual(await bench.uploads(folder), [], 'unfinished uploads')
}

async function forgetsAborted(bench: StoreBench): Promise<void> {
  const upload = await bench.begun('aborted')
  const part = await bench.send(upload, 1, noise(100))
  await bench.abort(upload)
  await bench.abort(upload)
  await refusal(bench.send(upload, 1, noise(100)), 'no-upload')
  await refusal(bench.store.listParts(upload, call()), 'no-upload')
  await refusal(bench.complete(upload, 100, [part]), 'no-upload', 'server')
  assert.deepEqual(await bench.uploads(upload.key), [], 'unfinished uploads')
  await bench.isAbsent(upload.key)
}

async function forgetsComplete(bench: StoreBench): Promise<void> {
  const upload = await bench.begun('complete')
  const part = await bench.send(upload, 1, noise(100))
  await bench.complete(upload, 100, [part])
  await refusal(bench.send(upload, 2, noise(100)), 'no-upload')
  await bench.abort(upload)
  await bench.is(upload.key, noise(100))
}

async function refusesMisfits(bench: StoreBench): Promise<void> {
  const upload = await bench.begun('misfit')
  const one = await bench.send(upload, 1, noise(bench.partSize))
  const two = await bench.send(upload, 2, noise(100, 2))
  const size = bench.partSize + 100
  const misnamed = [one, { ...two, etag: one.etag }]
  await refusal(bench.complete(upload, size, misnamed), 'invalid-part')
  const unsent = [one, { ...two, partNumber: 3 }]
  await refusal(bench.complete(upload, size, unsent), 'invalid-part')
  await bench.isAbsent(upload.key)
  assert.deepEqual(await bench.partNumbers(upload), [1, 2], 'the parts stay')
  await bench.complete(upload, size, [one, two])
  const whole = [noise(bench.partSize), noise(100, 2)]
  await bench.is(upload.key, Buffer.concat(whole))
}

async function takesKeys(bench: StoreBench): Promise<void> {
  const names = ["a b+c&d=e~'(1)!*.bin", 'ü/日本/😀', '%2F%41%', '<x>"y"?#z']
  for (const name of names) {
    const key = bench.key(name)
    const bytes = new TextEncoder().encode(name)
    const { uploadId } = await bench.store.createUpload(
      { key, object: {} },
      call(),
    )
    const found = await bench.uploads(key)
    assert.deepEqual(
      found.map((upload) => [upload.key, upload.uploadId]),
      [[key, uploadId]],
      name,
    )
    const part = await bench.send({ key, uploadId }, 1, bytes)
    await bench.complete({ key, uploadId }, bytes.length, [part])
    await bench.is(key, bytes)
  }
}

async function keepsMarks(bench: StoreBench): Promise<void> {
  const { store } = bench
  const bytes = noise(100)
  const key = bench.key('marked')
  const put = { key, object: {}, size: 100, body: bodyOf(bytes) }
  const markOf = async () => (await store.headObject(key, call()))?.mark
  const keeps = store.keepsMetadata !== false
  const first = mark()
  await store.putObject({ ...put, mark: first }, call())
  assert.equal(await markOf(), keeps ? first : undefined, 'of PutObject')
  const copied = { metadata: { pawl: first } }
  await store.putObject({ ...put, object: copied }, call())
  assert.equal(await markOf(), undefined, 'a mark that came as metadata')
  const second = mark()
  const begun = { key, object: {}, mark: second }
  const { uploadId } = await store.createUpload(begun, call())
  const part = await bench.send({ key, uploadId }, 1, bytes)
  await bench.complete({ key, uploadId }, 100, [part])
  assert.equal(await markOf(), keeps ? second : undefined, 'of an upload')
}

async function keepsWhatIsThere(bench: StoreBench): Promise<void> {
  const key = bench.key('there')
  const object = { forbidOverwrite: true }
  const body = { size: 50, body: bodyOf(noise(50, 2)) }
  const put = async () =>
    bench.store.putObject({ key, object, ...body }, call())
  await bench.put(key, noise(100))
  try {
    await put()
  } catch (error) {
    if (!isInvalidOption(error)) mustBeOf(error, 'exists', 'unsupported')
    return bench.is(key, noise(100))
  }
  assert.fail('forbidOverwrite: the object was replaced all the same')
}

async function goesOn(bench: StoreBench): Promise<void> {
  const { store, partSize } = bench
  const bytes = noise(5 * partSize + 7, 3)
  const checkpoint = memoryCheckpoint()
  const key = bench.key('resumed')
  const options = { store, key, checkpoint, partSize, concurrency: 1 }
  const first = createResumableUploadStream(options)
  let stored = 0
  first.on('part', () => {
    if ((stored += 1) === 3) first.destroy()
  })
  const closed = once(first, 'close')
  first.once('error', () => undefined)
  first.write(bytes)
  await closed.catch(() => undefined)
  const error: unknown = await first.result.catch((reason: unknown) => reason)
  if (!(error instanceof UploadError)) throw error
  assert.equal(error.code, 'PAWL_SUSPENDED', String(error))
  const upload = createResumableUploadStream(options)
  await pipeline(Readable.from([bytes]), upload)
  const { partsReused, resumed } = await upload.result
  assert.deepEqual({ partsReused, resumed }, { partsReused: 3, resumed: true })
  await bench.is(key, bytes)
  assert.deepEqual(await bench.uploads(key), [], 'unfinished uploads')
}

function isInvalidOption(error: unknown): boolean {
  return error instanceof UploadError && error.code === 'PAWL_INVALID_OPTION'
}

function md5Of(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64')
}

function mark(): string {
  return randomBytes(16).toString('hex')
}
