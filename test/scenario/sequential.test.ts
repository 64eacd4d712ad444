/** Uploads in `sequential` mode: OSS takes no part a second time. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { uploadFile } from '../../lib/index.js'
import { noise } from '../support/dev-store.js'
import { key, part, smallUploads } from '../support/small-upload.js'

const sequential = true
const bytes = noise(5 * part)
/** Part 2 is another. */
const changed = Buffer.from(bytes).fill('x', part, 2 * part)

for (const verify of ['crc64', 'md5', false] as const) {
  await t.test(
    `a part whose answer was lost is found, verify: ${verify}`,
    async (t) => {
      const dev = await smallUploads(t)
      let lost = 0
      dev.server.setFault(({ partNumber }) =>
        partNumber === 3 && lost++ === 0 ? { kind: 'reply-lost' } : undefined,
      )
      const result = await dev.run(bytes, { sequential, verify })
      t.match(result, { parts: 5, size: bytes.length })
      t.match(
        dev.seen('UploadPart').map(({ partNumber, status }) => ({
          partNumber,
          status,
        })),
        [
          { partNumber: 1, status: 200 },
          { partNumber: 2, status: 200 },
          { partNumber: 3 },
          { partNumber: 3, status: 409 },
          { partNumber: 4, status: 200 },
          { partNumber: 5, status: 200 },
        ],
      )
      t.ok(bytes.equals(await dev.object(key)))
    },
  )
}

await t.test('a part that changed: the next run begins anew', async (t) => {
  const dev = await smallUploads(t)
  await dev.fail(bytes, {
    sequential,
    beforeComplete: () => {
      throw new Error('not yet')
    },
  })
  const [before] = dev.server.openUploads()
  t.match(await dev.fail(changed, { sequential }), {
    code: 'PAWL_SOURCE_CHANGED',
    partNumber: 2,
    offset: part,
    resumable: false,
    transient: true,
    serverCode: undefined,
  })
  t.same(dev.server.openUploads(), [], `${before?.uploadId} is aborted`)
  t.match(await dev.run(changed, { sequential }), {
    parts: 5,
    partsReused: 0,
    verified: 'crc64',
  })
  t.ok(changed.equals(await dev.object(key)))
  t.equal(dev.logExists(), false)
})

await t.test('a file that changed is uploaded anew in one call', async (t) => {
  const dev = await smallUploads(t)
  const file = join(dev.directory, 'file')
  const upload = (signal?: AbortSignal) => {
    const restarts: string[] = []
    return uploadFile(file, {
      store: dev.small,
      key,
      checkpoint: dev.log,
      partSize: part,
      sequential,
      ...(signal === undefined ? {} : { signal }),
      on: {
        part: ({ partNumber }) => partNumber === 3 && stop.abort(),
        restarted: ({ reason }) => restarts.push(reason),
      },
    }).then((result) => ({ result, restarts }))
  }
  const stop = new AbortController()
  await writeFile(file, bytes)
  await t.rejects(upload(stop.signal), { code: 'PAWL_SUSPENDED' })
  await writeFile(file, changed)
  const { result, restarts } = await upload()
  t.same(restarts, ['source-changed'])
  t.match(result, { parts: 5, partsReused: 0, verified: 'crc64' })
  t.ok(changed.equals(await dev.object(key)))
  t.same(dev.server.openUploads(), [])
})

await t.test(
  'a hole that no run of ours has made: the next run begins anew',
  async (t) => {
    const dev = await smallUploads(t)
    // As after another's part behind it.
    dev.server.setFault(({ partNumber }) =>
      partNumber === 3 && dev.seen('CreateMultipartUpload').length === 1
        ? { kind: 'status', status: 400, code: 'PartNotSequential' }
        : undefined,
    )
    t.match(await dev.fail(bytes, { sequential }), {
      code: 'PAWL_UPLOAD_CONTENDED',
      partNumber: 3,
      resumable: false,
      transient: true,
    })
    t.same(dev.server.openUploads(), [], 'it is aborted')
    const result = await dev.run(bytes, { sequential })
    t.match(result, { parts: 5, partsReused: 0, resumed: false })
    t.ok(bytes.equals(await dev.object(key)))
    t.equal(dev.logExists(), false)
  },
)
