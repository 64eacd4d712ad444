/** Uploads that the server no longer has, whenever that comes out. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Fault } from '../../lib/dev-server/index.js'
import { memoryCheckpoint, StoreError, uploadFile } from '../../lib/index.js'
import { appendingBy } from '../support/appending-by.js'
import { noise } from '../support/dev-store.js'
import { first, mustBe, suspendAfter } from '../support/lost-answers.js'
import { wrapStore } from '../support/small-store.js'
import {
  failureOf,
  key,
  part,
  send,
  smallUploads,
  until,
} from '../support/small-upload.js'

await t.test('NoSuchUpload at every stage', async (t) => {
  const gone: Fault = { kind: 'status', status: 404, code: 'NoSuchUpload' }
  const bytes = noise(6 * part)
  await t.test('in the list of parts: starts over', async (t) => {
    const dev = await smallUploads(t)
    await suspendAfter(dev, bytes, 2)
    first(dev, 'ListParts', gone)
    t.match(await dev.run(bytes), { resumed: false, partsReused: 0 })
    await mustBe(t, dev, bytes)
  })
  await t.test('for the first part: starts over by itself', async (t) => {
    const dev = await smallUploads(t)
    first(dev, 'UploadPart', gone, 1)
    await dev.run(bytes, { concurrency: 1 })
    await mustBe(t, dev, bytes)
    t.equal(dev.seen('CreateMultipartUpload').length, 2)
  })
  await t.test('for all first parts at once: starts over once', async (t) => {
    const dev = await smallUploads(t)
    first(dev, 'UploadPart', gone, 4)
    await dev.run(bytes)
    await mustBe(t, dev, bytes)
    t.equal(dev.seen('CreateMultipartUpload').length, 2)
  })
  await t.test('for every first part: not for ever', async (t) => {
    const dev = await smallUploads(t)
    first(dev, 'UploadPart', gone, 1000)
    t.match(await dev.fail(bytes, { concurrency: 1 }), {
      code: 'PAWL_UPLOAD_GONE',
      resumable: false,
      transient: true,
    })
    t.equal(dev.seen('CreateMultipartUpload').length, 3)
    dev.server.setFault(undefined)
    await dev.run(bytes)
    await mustBe(t, dev, bytes)
  })
  await t.test('for a later part: the next run starts over', async (t) => {
    const dev = await smallUploads(t)
    dev.server.setFault(({ operation, partNumber }) =>
      operation === 'UploadPart' && partNumber === 4 ? gone : undefined,
    )
    t.match(await dev.fail(bytes, { concurrency: 1 }), {
      code: 'PAWL_UPLOAD_GONE',
      resumable: false,
      transient: true,
    })
    dev.server.setFault(undefined)
    t.match(await dev.run(bytes), { resumed: false })
    await mustBe(t, dev, bytes)
  })
  await t.test('for Complete: the next run starts over', async (t) => {
    const dev = await smallUploads(t)
    dev.server.setFault(({ operation, index }) =>
      operation === 'CompleteMultipartUpload' ||
      (operation === 'ListParts' && index > 0)
        ? gone
        : undefined,
    )
    t.match(await dev.fail(bytes), {
      code: 'PAWL_UPLOAD_GONE',
      resumable: false,
      transient: true,
    })
    dev.server.setFault(undefined)
    t.match(await dev.run(bytes), { resumed: false })
    await mustBe(t, dev, bytes)
  })
  await t.test('for Abort: it is done', async (t) => {
    const dev = await smallUploads(t)
    const upload = await suspendAfter(dev, bytes, 2)
    first(dev, 'AbortMultipartUpload', gone, 99)
    dev.server.setFault(({ operation }) =>
      operation === 'AbortMultipartUpload' || operation === 'ListParts'
        ? gone
        : undefined,
    )
    await upload.discard()
    t.notOk(dev.logExists())
  })
  await t.test('for a Complete that was repeated: looked at', async (t) => {
    const dev = await smallUploads(t)
    let heads = 0
    dev.server.setFault(({ operation }) => {
      if (operation === 'CompleteMultipartUpload') return { kind: 'reply-lost' }
      // The first look comes too early.
      if (operation === 'HeadObject' && heads++ === 0) {
        return { kind: 'status', status: 404 }
      }
      return operation === 'ListParts' && heads === 1
        ? {
            kind: 'status',
            status: 200,
            body: '<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>',
          }
        : undefined
    })
    await dev.run(bytes)
    await mustBe(t, dev, bytes)
    t.equal(dev.seen('CompleteMultipartUpload').length, 2)
  })
})

await t.test(
  'a discard that the server does not follow keeps the log',
  async (t) => {
    const dev = await smallUploads(t)
    const upload = await suspendAfter(dev, noise(4 * part), 2)
    first(
      dev,
      'ListParts',
      {
        kind: 'status',
        status: 200,
        body: '<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><ETag>"a"</ETag><Size>1</Size></Part></ListPartsResult>',
      },
      99,
    )
    await t.rejects(upload.discard(), {
      code: 'PAWL_SERVER',
      // The log is there, and says that the upload is void.
      resumable: false,
      transient: true,
    })
    t.equal(dev.seen('AbortMultipartUpload').length, 5)
    t.ok(dev.logExists())
    dev.server.setFault(undefined)
    await upload.discard()
    t.notOk(dev.logExists())
  },
)

await t.test(
  'a file does not begin anew where the log could not be told that its upload is gone',
  async (t) => {
    const dev = await smallUploads(t)
    const path = join(dev.directory, 'source')
    await writeFile(path, noise(4 * part))
    const memory = memoryCheckpoint()
    const checkpoint = appendingBy(memory, async (bytes) => {
      const isVoid = Buffer.from(bytes).includes(' void ')
      if (isVoid) throw new Error('no space')
      return memory.append(bytes)
    })
    dev.server.setFault(({ operation, partNumber }) =>
      operation === 'UploadPart' && partNumber === 3
        ? { kind: 'status', status: 404, code: 'NoSuchUpload' }
        : undefined,
    )
    const options = { store: dev.small, key, checkpoint, partSize: part }
    await t.rejects(
      uploadFile(path, { ...options, multipartThreshold: 0, concurrency: 1 }),
      { message: 'no space' },
    )
    t.equal(dev.seen('CreateMultipartUpload').length, 1)
  },
)

await t.test(
  'another upload’s loss, for which this one is ended, is not taken for its own',
  async (t) => {
    const bytes = noise(4 * part)
    const dev = await smallUploads(t)
    const gone = new StoreError('gone', { kind: 'no-upload', status: 404 })
    const other = dev.upload({
      checkpoint: memoryCheckpoint(),
      store: {
        ...wrapStore(dev.small),
        createUpload: () => Promise.reject(gone),
      },
    })
    await send(other, bytes).catch(() => undefined)
    const loss = await failureOf(other)
    dev.server.setFault(({ operation }) =>
      operation === 'UploadPart' ? { kind: 'silence' } : undefined,
    )
    const upload = dev.upload()
    const sending = send(upload, bytes).catch(() => undefined)
    await until(() => dev.seen('UploadPart').length > 0)
    const { uploadId } = upload
    upload.destroy(loss)
    await sending
    dev.server.setFault(undefined)
    t.match(await dev.run(bytes), { uploadId, resumed: true })
    t.equal(dev.seen('CreateMultipartUpload').length, 1)
    await mustBe(t, dev, bytes)
  },
)
