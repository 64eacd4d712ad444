import { appendFile, rename, stat, truncate, writeFile } from 'node:fs/promises'
import t from 'tap'
import { smallPart } from '../support/dev-store.js'
import {
  completeUnheard,
  fileBench,
  key,
  allModes,
  modes,
  type FileBench,
} from '../support/file-bench.js'
import { until } from '../support/small-upload.js'
import { WatchedFiles } from '../support/watched-files.js'

for (const [name, mode] of Object.entries(allModes)) {
  const verified = mode.verify ?? 'crc64'
  const { partSize } = mode

  await t.test(
    `${name}: a file that changed between runs is proved part by part, with size and mtime as they were`,
    async (t) => {
      const b = await fileBench(t, { size: 6 * partSize, mode })
      b.server.setFault(({ partNumber }) =>
        partNumber === 6 ? { kind: 'stall' } : undefined,
      )
      await b.runSome(5)
      b.server.setFault(undefined)
      await b.flip(partSize + 17)
      const files = new WatchedFiles()
      const before = b.seen('UploadPart').length
      const result = await b.run({}, files)
      t.ok(b.bytes.equals(await b.object(key)))
      t.equal(result.partsReused, 4)
      t.same(
        b
          .seen('UploadPart')
          .slice(before)
          .map(({ partNumber = 0 }) => partNumber)
          .toSorted((x, y) => x - y),
        [2, 6],
      )
      t.ok(files.bytesRead >= b.bytes.length)
    },
  )

  await t.test(
    `${name}: onSourceChange 'fail' ends at a part that changed`,
    async (t) => {
      const b = await fileBench(t, { size: 6 * partSize, mode })
      // In order: part 1 is stored.
      await b.runSome(5, { concurrency: 1 })
      await b.flip(0)
      await t.rejects(b.run({ onSourceChange: 'fail' }), {
        code: 'PAWL_SOURCE_CHANGED',
        partNumber: 1,
        resumable: true,
        transient: false,
      })
    },
  )

  const changes: [string, (b: FileBench) => Promise<unknown>][] = [
    ['written to', (b) => b.flip(0)],
    ['truncated', (b) => truncate(b.path, partSize + 1)],
    ['appended to', (b) => appendFile(b.path, 'more')],
    [
      'replaced',
      async (b) => {
        await writeFile(`${b.path}.new`, b.bytes)
        await rename(`${b.path}.new`, b.path)
      },
    ],
    ['renamed', (b) => rename(b.path, `${b.path}.old`)],
  ]
  for (const [how, change] of changes) {
    await t.test(
      `${name}: a file that is ${how} during the upload is never completed`,
      async (t) => {
        const b = await fileBench(t, { size: 6 * partSize, mode })
        let changed: Promise<unknown> | undefined
        const error: unknown = await b
          .run({ beforeComplete: () => (changed ??= change(b)) })
          .catch((reason: unknown) => reason)
        const told = { resumable: true, transient: true, key }
        t.match(error, { code: 'PAWL_SOURCE_CHANGED', ...told })
        t.same(b.seen('CompleteMultipartUpload'), [])
        if (how === 'renamed') await rename(`${b.path}.old`, b.path)
        const now = await stat(b.path)
        const result = await b.run()
        t.equal(result.size, now.size)
        t.ok(result.partsReused > 0)
      },
    )
  }

  await t.test(
    `${name}: a file cut short while it is read is told at once`,
    async (t) => {
      const b = await fileBench(t, { size: 6 * partSize, mode })
      const files = new WatchedFiles({
        onRead: (position) =>
          position >= partSize && truncate(b.path, partSize),
      })
      await t.rejects(b.run({ concurrency: mode.concurrency }, files), {
        code: 'PAWL_SOURCE_CHANGED',
      })
    },
  )

  await t.test(`${name}: reads may be short`, async (t) => {
    const b = await fileBench(t, { size: 2 * partSize + 9, mode })
    await b.run({}, new WatchedFiles({ mostBytes: 10_007 }))
    t.ok(b.bytes.equals(await b.object(key)))
  })

  await t.test(`${name}: a read that fails suspends`, async (t) => {
    const b = await fileBench(t, { size: 6 * partSize, mode })
    const files = new WatchedFiles({
      onRead: async (position, length) => {
        // Not the look at its end when it is opened.
        if (position >= 4 * partSize && length > 1) {
          await until(() => b.seen('UploadPart').length > 0)
          throw Object.assign(new Error('EIO: i/o error, read'), {
            code: 'EIO',
          })
        }
      },
    })
    await t.rejects(b.run({}, files), {
      code: 'PAWL_SOURCE_IO',
      resumable: true,
      transient: false,
      cause: { code: 'EIO' },
    })
    t.match(await b.run(), { size: b.bytes.length })
  })

  await t.test(`${name}: a refused part is sent again`, async (t) => {
    const b = await fileBench(t, { size: 4 * partSize, mode })
    let faults = 0
    b.server.setFault(({ operation }) =>
      operation === 'UploadPart' && faults++ < 3
        ? faults === 2
          ? { kind: 'reset-body', afterBytes: 70_000 }
          : { kind: 'status', status: 500 }
        : undefined,
    )
    const result = await b.run()
    t.ok(b.bytes.equals(await b.object(key)))
    t.equal(result.verified, verified)
  })

  for (const verify of ['crc64', 'md5', false] as const) {
    await t.test(`${name}: verify ${verify}`, async (t) => {
      const b = await fileBench(t, { size: 3 * partSize, mode })
      const result = await b.run({ verify })
      t.ok(b.bytes.equals(await b.object(key)))
      t.equal(result.verified, verify === false ? 'none' : verify)
      t.equal(
        b.seen('UploadPart').every(({ headers }) => 'content-md5' in headers),
        verify === 'md5',
      )
    })
  }

  await t.test(`${name}: proof 'sha256'`, async (t) => {
    const b = await fileBench(t, { size: 5 * partSize, mode })
    await b.runSome(3, { proof: 'sha256' })
    const result = await b.run({ proof: 'sha256', prove: 'hash' })
    t.ok(result.partsReused >= 3)
    t.ok(b.bytes.equals(await b.object(key)))
  })

  await t.test(
    `${name}: an upload that is gone is begun anew in the same run`,
    async (t) => {
      const b = await fileBench(t, { size: 6 * partSize, mode })
      b.server.setFault(({ partNumber }) =>
        partNumber === 5 ? { kind: 'stall' } : undefined,
      )
      await b.runSome(4)
      const restarts: string[] = []
      let isAborted = false
      b.server.setFault(({ operation }) => {
        if (operation !== 'UploadPart' || isAborted) return undefined
        isAborted = true
        return { kind: 'status', status: 404, code: 'NoSuchUpload' }
      })
      const result = await b.run({
        on: { restarted: ({ reason }) => void restarts.push(reason) },
      })
      t.same(restarts, ['upload-gone'])
      t.ok(b.bytes.equals(await b.object(key)))
      t.match(result, { resumed: false, partsReused: 0, parts: 6 })
    },
  )

  await t.test(
    `${name}: an upload that is gone at the end is begun anew`,
    async (t) => {
      const b = await fileBench(t, { size: 3 * partSize, mode })
      let calls = 0
      const result = await b.run({
        beforeComplete: async () => {
          const [upload] = b.server.openUploads()
          if (++calls > 1 || upload === undefined) return
          const { uploadId } = upload
          await b.store.abortUpload(
            { key, uploadId },
            {
              signal: new AbortController().signal,
              timeouts: { connect: 1000, stall: 1000, headers: 1000 },
            },
          )
        },
      })
      t.equal(calls, 2)
      t.ok(b.bytes.equals(await b.object(key)))
      t.equal(result.partsReused, 0)
    },
  )

  await t.test(
    `${name}: an object that was completed unheard is claimed without reading`,
    async (t) => {
      const b = await fileBench(t, { size: 4 * partSize, mode })
      await completeUnheard(b)
      const files = new WatchedFiles()
      const before = b.server.requests.length
      const result = await b.run({}, files)
      t.match(result, { resumed: true, partsReused: 4, verified })
      t.equal(files.bytesRead, 0)
      t.same(
        b.server.requests.slice(before).map(({ operation }) => operation),
        ['HeadObject'],
      )
    },
  )

  for (const offset of [0, 2 * partSize + 1]) {
    await t.test(
      `${name}: a file that is no longer the object at ${offset} is uploaded anew`,
      async (t) => {
        const b = await fileBench(t, { size: 4 * partSize, mode })
        await completeUnheard(b)
        await b.flip(offset)
        const restarts: string[] = []
        const result = await b.run({
          on: { restarted: ({ reason }) => void restarts.push(reason) },
        })
        t.same(restarts, ['source-changed'])
        t.match(result, { resumed: false, partsReused: 0 })
        t.ok(b.bytes.equals(await b.object(key)))
        t.same(await b.logs(), [])
      },
    )
  }
}

await t.test('a file that grew after an unheard Complete', async (t) => {
  const b = await fileBench(t, { size: 4 * smallPart })
  await completeUnheard(b)
  await appendFile(b.path, 'more')
  const result = await b.run()
  t.match(result, { size: 4 * smallPart + 4, resumed: false })
  t.same(await b.object(key), Buffer.concat([b.bytes, Buffer.from('more')]))
})

await t.test('bytes that differ when they are read again', async (t) => {
  const b = await fileBench(t, {
    size: 2 * modes.streamed.partSize,
    mode: modes.streamed,
  })
  let faults = 0
  b.server.setFault(({ operation }) =>
    operation === 'UploadPart' && faults++ === 0
      ? { kind: 'reply-lost' }
      : undefined,
  )
  let readings = 0
  const files = new WatchedFiles({
    onBytes: (bytes, position) => {
      if (position === 0 || position === modes.streamed.partSize) {
        bytes[0] = readings++
      }
    },
  })
  await t.rejects(b.run({}, files), {
    code: 'PAWL_SOURCE_CHANGED',
    message: /read again/,
  })
  t.same(b.seen('CompleteMultipartUpload'), [])
})

await t.test('a large file that changes is not put', async (t) => {
  const size = 20 * 1024 * 1024
  const b = await fileBench(t, { size })
  let readings = 0
  const files = new WatchedFiles({
    onRead: (position) => {
      return position === 0 && ++readings === 2 ? b.flip(5) : undefined
    },
  })
  // Of its MD5, which goes first, it is read twice when it is not held.
  const options = { multipartThreshold: size + 1, memory: size - 1 }
  await t.rejects(b.run(options, files), {
    code: 'PAWL_SOURCE_CHANGED',
  })
  t.equal(b.server.objectPath('examplebucket', key), undefined)
})
