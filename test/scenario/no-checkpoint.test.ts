/** `checkpoint: false`: nothing outlives the run, and no error says so. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { uploadFile } from '../../lib/index.js'
import { noise } from '../support/dev-store.js'
import { wrapStore } from '../support/small-store.js'
import { failureOf, key, part, smallUploads } from '../support/small-upload.js'

const bytes = noise(3 * part)
const refuse = {
  beforeComplete: () => {
    throw new Error('not yet')
  },
}

await t.test('no failure of a stream is resumable', async (t) => {
  const dev = await smallUploads(t)
  const checkpoint = false
  t.match(await dev.fail(bytes, { checkpoint, ...refuse }), {
    code: 'PAWL_BEFORE_COMPLETE',
    resumable: false,
  })
  t.match(await dev.fail(bytes, { checkpoint, size: 1 }), {
    code: 'PAWL_SIZE_MISMATCH',
    resumable: false,
  })
  dev.server.setFault(({ operation }) =>
    operation === 'UploadPart' ? { kind: 'refuse' } : undefined,
  )
  t.match(await dev.fail(bytes, { checkpoint }), {
    code: 'PAWL_NETWORK',
    resumable: false,
  })
  const upload = dev.upload({ checkpoint })
  upload.on('error', () => undefined)
  upload.destroy()
  const stopped = await failureOf(upload)
  t.match(stopped, { code: 'PAWL_SUSPENDED', resumable: false })
  t.match(stopped.message, /starts over/)
})

await t.test('with one they are', async (t) => {
  const dev = await smallUploads(t)
  t.match(await dev.fail(bytes, refuse), {
    code: 'PAWL_BEFORE_COMPLETE',
    resumable: true,
  })
})

await t.test('no failure of a file is resumable', async (t) => {
  const dev = await smallUploads(t)
  const file = join(dev.directory, 'file')
  await writeFile(file, bytes)
  const options = {
    store: dev.small,
    key,
    partSize: part,
    checkpoint: false as const,
  }
  await t.rejects(uploadFile(file, { ...options, ...refuse }), {
    code: 'PAWL_BEFORE_COMPLETE',
    resumable: false,
  })
  await t.rejects(uploadFile(join(dev.directory, 'missing'), options), {
    code: 'PAWL_SOURCE_IO',
    resumable: false,
  })
})

await t.test('what is refused for certain is aborted', async (t) => {
  for (const denied of [['HeadObject'], ['HeadObject', 'ListParts']]) {
    const dev = await smallUploads(t)
    await dev.run(bytes)
    const forbid = {
      checkpoint: false as const,
      object: { forbidOverwrite: true },
    }
    dev.server.setFault(({ operation }) =>
      denied.includes(operation)
        ? { kind: 'status', status: 403, code: 'AccessDenied' }
        : undefined,
    )
    t.match(await dev.fail(bytes, forbid), {
      code: 'PAWL_ALREADY_EXISTS',
      resumable: false,
    })
    t.same(dev.server.openUploads(), [], denied.join())
  }
})

await t.test('so it is where its parts may not be listed', async (t) => {
  const dev = await smallUploads(t)
  dev.server.setFault(({ operation }) =>
    operation === 'ListParts'
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  const store = wrapStore(dev.small, {
    around: async (call, run) => {
      // Somebody else is quicker.
      if (call === 'completeUpload') await dev.run(noise(9), others)
      return run()
    },
  })
  const others = { checkpoint: false } as const
  const object = { forbidOverwrite: true }
  t.match(await dev.fail(bytes, { ...others, store, object }), {
    code: 'PAWL_ALREADY_EXISTS',
  })
  t.same(dev.server.openUploads(), [])
})

await t.test('what may come to something is left', async (t) => {
  const dev = await smallUploads(t)
  dev.server.setFault(({ operation }) =>
    operation === 'CompleteMultipartUpload'
      ? { kind: 'status', status: 500 }
      : undefined,
  )
  const error = await dev.fail(bytes, { checkpoint: false })
  t.match(error, {
    code: 'PAWL_COMPLETE_UNKNOWN',
    message: /without a log the same call starts over/,
    resumable: false,
  })
  const ids = dev.server.openUploads().map(({ uploadId }) => uploadId)
  t.same(ids, [error.uploadId])
})

await t.test(
  'so is what could not be looked at, and the error names it',
  async (t) => {
    const dev = await smallUploads(t)
    dev.server.setFault(({ operation }) =>
      operation === 'CompleteMultipartUpload' || operation === 'HeadObject'
        ? { kind: 'status', status: 500 }
        : undefined,
    )
    const error = await dev.fail(bytes, { checkpoint: false })
    t.match(error, {
      code: 'PAWL_SERVER',
      message: /^HEAD, to see what became of Complete, failed/,
      resumable: false,
      transient: true,
    })
    const ids = dev.server.openUploads().map(({ uploadId }) => uploadId)
    t.same(ids, [error.uploadId])
  },
)
