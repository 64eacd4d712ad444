/** The calls of a store that succeed. */
import { createHash, randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { ListedPart, ListedUpload, ObjectStore } from '../../lib/index.js'
import { noise, sha256 } from '../support/dev-store.js'
import { bodyFrom, storeCall } from '../support/store-call.js'
import { keysOf, type Target } from './target.js'
import { sameEtag } from '../../lib/store/etag.js'
import { multipartEtag } from '../../lib/upload/rules/proof.js'

const call = storeCall({
  timeouts: { connect: 10_000, stall: 60_000, headers: 120_000 },
})

export async function storeCalls(t: Test, target: Target): Promise<void> {
  const store = target.store(t)
  const { behaviours, other, pages: most, partSize } = target
  const isMd5 = behaviours.etags === 'md5'

  await t.test('parts in any order and at once make an object', async (t) => {
    const key = keysOf(t, target)('parts')
    const bytes = noise(3 * partSize + 1234, 7)
    const { uploadId, date } = await store.createUpload(
      { key, object: {} },
      call,
    )
    t.type(date, 'number', 'the clock of the server')
    t.same(await uploadsOf(store, key), [{ key, uploadId }])
    // Sent once more below: the last one counts.
    await sendPart(store, { key, uploadId }, 2, noise(partSize, 8))
    const etags: string[] = []
    const send = async (number: number): Promise<void> => {
      const part = partOf(bytes, number, partSize)
      const receipt = await sendPart(store, { key, uploadId }, number, part)
      etags[number - 1] = receipt.etag
      if (isMd5) t.ok(sameEtag(receipt.etag, md5(part)), `ETag of ${number}`)
    }
    await send(4)
    await Promise.all([3, 1, 2].map(send))
    const listed = await store.listParts({ key, uploadId }, call)
    t.equal(listed.next, undefined)
    t.same(
      listed.parts.map(({ partNumber, size }) => [partNumber, size]),
      [1, 2, 3, 4].map((n) => [n, partOf(bytes, n, partSize).length]),
    )
    for (const { etag, partNumber, crc64, lastModified } of listed.parts) {
      t.ok(sameEtag(etag, etags[partNumber - 1] ?? ''), 'the same ETag')
      t.type(lastModified, 'number')
      t.type(crc64, target.dialect === 'oss' ? 'string' : 'undefined')
    }
    const later = await store.listParts({ key, uploadId, after: 2 }, call)
    t.same(numbersOf(later.parts), [3, 4])
    const receipt = await store.completeUpload(
      {
        key,
        uploadId,
        object: {},
        size: bytes.length,
        parts: etags.map((etag, i) => ({ partNumber: i + 1, etag })),
      },
      call,
    )
    const head = await store.headObject(key, call)
    t.match(head, { size: bytes.length, lastModified: Number })
    if (isMd5) t.equal(head?.etag.toLowerCase(), multipartEtag(etags))
    if (behaviours.completeEtag === 'empty') t.equal(receipt.etag, '')
    else if (behaviours.completeEtag === 'given') {
      t.equal(receipt.etag, head?.etag)
    }
    t.equal(receipt.crc64, head?.crc64)
    t.equal(await other.sha256(key), sha256(bytes))
    t.same(await uploadsOf(store, key), [])
  })

  await t.test('a small object is read whole, and removed', async (t) => {
    const key = keysOf(t, target)('small.xml')
    const isThere = behaviours.smallObjects !== 'none'
    t.equal(store.getObject !== undefined, isThere)
    t.equal(store.deleteObject !== undefined, isThere)
    if (!isThere) return
    const read = async (maxBytes = 64) =>
      store.getObject?.({ key, maxBytes }, call)
    t.equal(await read(), undefined, 'there is none')
    // Of an object it is data and no failure.
    const bytes = Buffer.from('<Error><Code>NoSuchKey</Code></Error>')
    const body = bodyFrom(bytes)
    const put = { key, object: {}, size: bytes.length, body }
    await store.putObject(put, call)
    const found = await read()
    t.match(found, { size: bytes.length, lastModified: Number, date: Number })
    t.ok(bytes.equals(found?.bytes ?? Buffer.of()))
    t.equal(found?.etag, (await store.headObject(key, call))?.etag)
    await t.rejects(async () => read(bytes.length - 1), {
      code: 'PAWL_RESPONSE',
    })
    await store.deleteObject?.(key, call)
    await store.deleteObject?.(key, call)
    t.equal(await read(), undefined)
  })

  await t.test('a list of parts of more than a page', async (t) => {
    const key = keysOf(t, target)('many-parts')
    const { uploadId } = await store.createUpload({ key, object: {} }, call)
    const numbers = numbersTo(most.parts + 5)
    await together(numbers, async (number) => {
      const part = Buffer.from(`${number}`)
      await sendPart(store, { key, uploadId }, number, part)
    })
    const listed: ListedPart[] = []
    let pages = 0
    for (let after: number | undefined = 0; after !== undefined; pages++) {
      const page = await store.listParts({ key, uploadId, after }, call)
      listed.push(...page.parts)
      after = page.next
    }
    t.ok(pages >= 2, `${pages} pages`)
    t.same(numbersOf(listed), numbers)
    t.ok(listed.every((part) => part.size === `${part.partNumber}`.length))
    await store.abortUpload({ key, uploadId }, call)
  })

  await t.test('a list of uploads of more than a page', async (t) => {
    const keyOf = keysOf(t, target)
    const outside = keyOf('other/upload')
    await store.createUpload({ key: outside, object: {} }, call)
    // Several of one key: a page ends in the middle of it.
    const keys = ['a', 'b b+&%2F', 'ü😀', 'z'].map((n) => keyOf(`many/${n}`))
    const wanted: string[] = []
    await together(numbersTo(most.uploads + 5), async (i) => {
      const key = keys[i % keys.length] ?? ''
      const { uploadId } = await store.createUpload({ key, object: {} }, call)
      wanted.push(`${key} ${uploadId}`)
    })
    const listed: ListedUpload[] = []
    const prefix = `${target.prefix}many/`
    let pages = 0
    let markers: { keyMarker?: string; uploadIdMarker?: string } | undefined =
      {}
    for (; markers !== undefined; pages++) {
      const page = await store.listUploads({ prefix, ...markers }, call)
      listed.push(...page.uploads)
      markers = page.next
    }
    t.ok(pages >= 2, `${pages} pages`)
    t.strictSame(
      listed.map(({ key, uploadId }) => `${key} ${uploadId}`).toSorted(),
      wanted.toSorted(),
    )
    const inOrder = listed.map(({ key }) => Buffer.from(key))
    t.ok(
      inOrder.every(
        (key, i) => i === 0 || key.compare(inOrder[i - 1] ?? key) >= 0,
      ),
      'in the order of keys',
    )
    await together(listed, ({ key, uploadId }) =>
      store.abortUpload({ key, uploadId }, call),
    )
    t.same((await store.listUploads({ prefix }, call)).uploads, [])
  })

  await t.test('an upload is aborted, twice', async (t) => {
    const key = keysOf(t, target)('aborted')
    const { uploadId } = await store.createUpload({ key, object: {} }, call)
    await sendPart(store, { key, uploadId }, 1, noise(1000))
    await store.abortUpload({ key, uploadId }, call)
    await store.abortUpload({ key, uploadId }, call)
    t.same(await uploadsOf(store, key), [])
    t.equal(await store.headObject(key, call), undefined)
  })

  await t.test('keys and options arrive as they are', async (t) => {
    const keyOf = keysOf(t, target)
    const object = {
      contentType: 'text/x-pawl; charset=utf-8',
      cacheControl: 'max-age=60',
      contentDisposition: 'attachment; filename="a b"',
      metadata: { author: 'alice', 'some-name': 'a value, with = and ;' },
    }
    for (const name of [
      "a b+c&d=e~'(1)!*.bin",
      'ü/日本/😀',
      '%2F%41%',
      'a//b',
      '<x>"y"?#z',
      'back\\slash',
    ]) {
      const key = keyOf(name)
      const bytes = Buffer.from(`the bytes of ${name}`)
      const { uploadId } = await store.createUpload({ key, object }, call)
      t.same(await uploadsOf(store, key), [{ key, uploadId }], name)
      const { etag } = await sendPart(store, { key, uploadId }, 1, bytes)
      const parts = [{ partNumber: 1, etag }]
      await store.completeUpload(
        { key, uploadId, parts, object, size: bytes.length },
        call,
      )
      t.equal(await other.sha256(key), sha256(bytes))
      t.strictSame(await other.head(key), object)
      t.match(await store.headObject(key, call), { size: bytes.length })
    }
  })

  await t.test('a mark is kept, and read back by anybody', async (t) => {
    const keyOf = keysOf(t, target)
    const object = { metadata: { author: 'alice' } }
    const marked = async (key: string, mark: string): Promise<void> => {
      t.equal((await store.headObject(key, call))?.mark, mark)
      const { metadata } = await other.head(key)
      t.strictSame(metadata, { ...object.metadata, pawl: mark })
    }
    const key = keyOf('marked')
    const mark = randomBytes(16).toString('hex')
    const created = { key, object, mark }
    const { uploadId } = await store.createUpload(created, call)
    const bytes = noise(1000)
    const { etag } = await sendPart(store, { key, uploadId }, 1, bytes)
    const parts = [{ partNumber: 1, etag }]
    await store.completeUpload(
      { key, uploadId, parts, object, size: bytes.length },
      call,
    )
    await marked(key, mark)
    // Put over it: another object, another mark.
    const next = randomBytes(16).toString('hex')
    const put = { key, object, size: bytes.length, body: bodyFrom(bytes) }
    await store.putObject({ ...put, mark: next }, call)
    await marked(key, next)
    await store.putObject(
      { ...put, object: { metadata: { pawl: next } } },
      call,
    )
    t.equal((await store.headObject(key, call))?.mark, undefined)
  })

  await t.test('objects are put, and looked at', async (t) => {
    const keyOf = keysOf(t, target)
    t.equal(await store.headObject(keyOf('absent'), call), undefined)
    const object = { contentType: 'text/plain', metadata: { a: 'b' } }
    for (const size of [0, 1, 300_000]) {
      const key = keyOf(`put-${size}`)
      const bytes = noise(size, size)
      const receipt = await store.putObject(
        {
          key,
          object,
          size,
          body: bodyFrom(bytes),
          md5: Buffer.from(md5(bytes), 'hex').toString('base64'),
        },
        call,
      )
      const head = await store.headObject(key, call)
      t.match(head, { size, etag: receipt.etag })
      if (isMd5) t.ok(sameEtag(receipt.etag, md5(bytes)))
      t.equal(await other.sha256(key), sha256(bytes))
      t.match(await other.head(key), object)
    }
  })
}

interface Upload {
  key: string
  uploadId: string
}

export function sendPart(
  store: ObjectStore,
  { key, uploadId }: Upload,
  partNumber: number,
  bytes: Buffer,
) {
  const { length: size } = bytes
  const body = bodyFrom(bytes)
  return store.uploadPart({ key, uploadId, partNumber, size, body }, call)
}

/** The open uploads of one key. */
export async function uploadsOf(
  store: ObjectStore,
  prefix: string,
): Promise<Upload[]> {
  const { uploads } = await store.listUploads({ prefix }, call)
  return uploads.map(({ key, uploadId }) => ({ key, uploadId }))
}

function partOf(bytes: Buffer, number: number, partSize: number): Buffer {
  return bytes.subarray((number - 1) * partSize, number * partSize)
}

function numbersOf(parts: readonly ListedPart[]): number[] {
  return parts.map(({ partNumber }) => partNumber)
}

export function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex')
}

/** From 1. */
function numbersTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1)
}

/** Sixteen at once. */
async function together<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      await work(item)
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}
