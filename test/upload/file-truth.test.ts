/** Files that are not what their file system tells of them. */
import { existsSync } from 'node:fs'
import { chmod, link, open, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { uploadFile, type UploadFileOptions } from '../../lib/index.js'
import { uploadFileOn } from '../../lib/upload/file.js'
import { realUploadEnvironment } from '../../lib/upload/options/environment.js'
import {
  nodeSourceFiles,
  type SourceFiles,
} from '../../lib/upload/source/source-files.js'
import { noise } from '../support/dev-store.js'
import { fileBench, modes } from '../support/file-bench.js'
import { wrapStore } from '../support/small-store.js'
import { key, part, smallUploads } from '../support/small-upload.js'

const { partSize } = modes.held

/** Tells of fewer bytes than there are. */
function shortOf(size: number): SourceFiles {
  return {
    stat: async (path) => {
      const stats = await nodeSourceFiles.stat(path)
      return Object.assign(stats, { size: BigInt(size) })
    },
    open: async (path) => {
      const handle = await nodeSourceFiles.open(path)
      return {
        read: (...args) => handle.read(...args),
        close: () => handle.close(),
        stat: async (options) =>
          Object.assign(await handle.stat(options), { size: BigInt(size) }),
      }
    },
  }
}

await t.test(
  'a file with more bytes than are told of is refused',
  async (t) => {
    const dev = await smallUploads(t)
    const path = join(dev.directory, 'source')
    await writeFile(path, 'more than nothing')
    for (const size of [0, 5]) {
      const options = { store: dev.small, key, checkpoint: dev.log }
      const sourceFiles = shortOf(size)
      await t.rejects(
        uploadFileOn(path, options, { ...realUploadEnvironment, sourceFiles }),
        { code: 'PAWL_INVALID_OPTION', message: /upload it as a stream/ },
      )
    }
    t.equal(dev.server.requests.length, 0)
    t.notOk(dev.logExists())
  },
)

await t.test(
  'a file of the kernel, of no size or a page, is refused with the way out',
  async (t) => {
    const dev = await smallUploads(t)
    for (const path of ['/proc/version', '/sys/kernel/mm/ksm/run']) {
      if (!existsSync(path)) continue
      await t.rejects(
        uploadFile(path, { store: dev.small, key, checkpoint: false }),
        {
          code: 'PAWL_INVALID_OPTION',
          message: /upload it as a stream/,
          transient: false,
        },
        path,
      )
    }
    t.equal(dev.server.requests.length, 0)
  },
)

await t.test(
  'a file that is shorter than it is said to be is refused, in parts as well',
  async (t) => {
    const dev = await smallUploads(t)
    const path = join(dev.directory, 'source')
    await writeFile(path, noise(2 * part))
    const options = {
      store: dev.small,
      key,
      checkpoint: dev.log,
      partSize: part,
    }
    for (const size of [2 * part + 1, 300 * part]) {
      const sourceFiles = shortOf(size)
      await t.rejects(
        uploadFileOn(path, options, { ...realUploadEnvironment, sourceFiles }),
        {
          code: 'PAWL_INVALID_OPTION',
          message: new RegExp(`has fewer than the ${size} bytes`),
        },
      )
    }
    t.same(dev.seen('CompleteMultipartUpload'), [])
  },
)

await t.test(
  'a file that is longer than it is said to be is refused, in parts as well',
  async (t) => {
    const dev = await smallUploads(t)
    const path = join(dev.directory, 'source')
    // What is small is read whole where it is put in one request.
    const large = 300 * 1024
    for (const size of [2 * part, large]) {
      await writeFile(path, noise(size + 1))
      const sourceFiles = shortOf(size)
      await t.rejects(
        uploadFileOn(
          path,
          {
            store: dev.small,
            key,
            checkpoint: dev.log,
            partSize: part,
            multipartThreshold: 0,
          },
          { ...realUploadEnvironment, sourceFiles },
        ),
        { code: 'PAWL_INVALID_OPTION', message: /upload it as a stream/ },
      )
    }
    t.same(dev.server.requests, [])
    t.notOk(dev.logExists())
  },
)

await t.test('an empty file is uploaded, whatever is compared', async (t) => {
  const dev = await smallUploads(t)
  const path = join(dev.directory, 'empty')
  await writeFile(path, '')
  for (const verify of [undefined, false] as const) {
    const result = await uploadFile(path, {
      store: dev.small,
      key,
      checkpoint: dev.log,
      ...(verify === undefined ? {} : { verify }),
    })
    t.equal(result.size, 0)
    t.equal((await dev.object(key)).length, 0)
  }
})

const touches: [string, (path: string) => Promise<unknown>][] = [
  ['its mode changes', (path) => chmod(path, 0o640)],
  ['it gets another name', (path) => link(path, `${path}.link`)],
  ['its times are set', (path) => utimes(path, new Date(), new Date())],
]
/** Where nothing is compared nor kept, a file is held against its parts' ETags. */
const logs: [string, UploadFileOptions['checkpoint']][] = [
  ['', undefined],
  [', without a log', false],
]
for (const [where, checkpoint] of logs) {
  const logged: Partial<UploadFileOptions> =
    checkpoint === undefined ? {} : { checkpoint, verify: false }
  for (const [how, touch] of touches) {
    await t.test(
      `a file is uploaded although ${how} meanwhile${where}`,
      async (t) => {
        const b = await fileBench(t, { size: 6 * partSize })
        const beforeComplete = () => touch(b.path)
        const result = await b.run({ ...logged, beforeComplete })
        t.equal(result.size, b.bytes.length)
        t.ok(b.bytes.equals(await b.object(key)))
      },
    )
  }

  await t.test(
    `one that is written to and dated back is not${where}`,
    async (t) => {
      const b = await fileBench(t, { size: 6 * partSize })
      await t.rejects(
        b.run({
          ...logged,
          beforeComplete: async () => {
            const file = await open(b.path, 'r+')
            const { atime, mtime } = await file.stat()
            await file.write(Buffer.from('other'), 0, 5, 2 * partSize)
            await file.close()
            await utimes(b.path, atime, mtime)
          },
        }),
        {
          code: 'PAWL_SOURCE_CHANGED',
          message:
            checkpoint === false ? /nothing shows that/ : /are others now/,
        },
      )
      t.same(b.seen('CompleteMultipartUpload'), [])
    },
  )
}

await t.test(
  'without a log, one that is put as it is read is what was looked at last',
  async (t) => {
    const b = await fileBench(t, { size: 300 * 1024, mode: modes.held })
    const store = wrapStore(b.store, {
      around: async (call, run) => {
        if (call === 'putObject') await b.flip(200 * 1024)
        return run()
      },
    })
    await t.rejects(
      b.run({
        store,
        checkpoint: false,
        verify: false,
        memory: 1,
        multipartThreshold: 1024 * 1024,
      }),
      {
        code: 'PAWL_SOURCE_CHANGED',
        message: /are not the same when read again/,
      },
    )
    await t.rejects(b.object(key), 'nothing was put')
  },
)

await t.test(
  'nor one that is touched, where nothing is compared nor any ETag an MD5',
  async (t) => {
    const other = await fileBench(t, {
      size: 6 * partSize,
      fault: ({ operation }) =>
        operation === 'UploadPart' ? { kind: 'wrong-etag' } : undefined,
    })
    await t.rejects(
      other.run({
        checkpoint: false,
        verify: false,
        beforeComplete: () => chmod(other.path, 0o640),
      }),
      {
        code: 'PAWL_SOURCE_CHANGED',
        message: /its times are others now, and nothing shows/,
        transient: true,
      },
    )
    t.same(other.seen('CompleteMultipartUpload'), [])
    t.same(other.server.openUploads(), [], 'nothing is left of it')
  },
)
