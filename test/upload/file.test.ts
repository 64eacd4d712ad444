import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { appendFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { uploadFileOn } from '../../lib/upload/file.js'
import { realUploadEnvironment } from '../../lib/upload/options/environment.js'
import {
  fileCheckpoint,
  memoryCheckpoint,
  uploadFile,
  type Progress,
  type UploadFileOptions,
} from '../../lib/index.js'
import { smallPart } from '../support/dev-store.js'
import { wrapStore } from '../support/small-store.js'
import {
  allModes,
  fileBench,
  key,
  type FileBench,
} from '../support/file-bench.js'
import { WatchedFiles } from '../support/watched-files.js'

for (const [name, mode] of Object.entries(allModes)) {
  const verified = mode.verify ?? 'crc64'
  const { partSize } = mode

  await t.test(`${name}: an object is exactly the file`, async (t) => {
    for (const size of [
      0,
      1,
      partSize - 1,
      partSize,
      partSize + 1,
      3 * partSize,
      5 * partSize + 77,
    ]) {
      const b = await fileBench(t, { size, mode })
      const result = await b.run()
      t.ok(b.bytes.equals(await b.object(key)), `${size} bytes`)
      t.match(result, {
        key,
        size,
        parts: size < partSize ? 0 : Math.ceil(size / partSize),
        partsReused: 0,
        resumed: false,
        verified,
        checkpointLeft: false,
      })
      t.same(await b.logs(), [], 'the log is gone')
      t.same(b.server.openUploads(), [])
    }
  })
}

await t.test(
  'multipartThreshold says what is put in one request',
  async (t) => {
    const size = 3 * smallPart
    const rows: [UploadFileOptions['multipartThreshold'], number, string][] = [
      [undefined, smallPart, 'UploadPart'],
      [undefined, size + 1, 'PutObject'],
      [size, smallPart, 'UploadPart'],
      [size + 1, smallPart, 'PutObject'],
      [0, size + 1, 'UploadPart'],
    ]
    for (const [multipartThreshold, partSize, operation] of rows) {
      const b = await fileBench(t, { size })
      const result = await b.run({
        partSize,
        ...(multipartThreshold === undefined ? {} : { multipartThreshold }),
      })
      const operations = new Set(
        b.server.requests.map((seen) => seen.operation),
      )
      t.ok(operations.has(operation as never), `${multipartThreshold}`)
      t.equal(operations.has('PutObject'), operation === 'PutObject')
      t.equal(result.parts === 0, operation === 'PutObject')
      t.ok(b.bytes.equals(await b.object(key)))
    }
  },
)

await t.test('a large file is put without holding it', async (t) => {
  const size = 20 * 1024 * 1024
  const b = await fileBench(t, { size })
  const options = { multipartThreshold: size + 1, memory: size - 1 }
  const result = await b.run(options)
  t.match(result, { parts: 0, verified: 'crc64' })
  const read = b.files.reads.filter(({ length }) => length > 0)
  t.ok(read.every(({ length }) => length <= 4 * 1024 * 1024))
  t.ok(b.bytes.equals(await b.object(key)))
})

await t.test('what cannot be uploaded is refused with a code', async (t) => {
  const b = await fileBench(t, { size: 1 })
  const missing = join(b.directory, 'missing')
  const fifo = join(b.directory, 'fifo')
  execFileSync('mkfifo', [fifo])
  const rows: [string, Partial<UploadFileOptions>, string, RegExp][] = [
    [missing, {}, 'PAWL_SOURCE_IO', /missing cannot be opened.*ENOENT/],
    [b.directory, {}, 'PAWL_INVALID_OPTION', /is a directory/],
    [fifo, {}, 'PAWL_INVALID_OPTION', /is a FIFO/],
    ['/dev/null', {}, 'PAWL_INVALID_OPTION', /is a device/],
    ['', {}, 'PAWL_INVALID_OPTION', /path/],
    [b.path, { multipartThreshold: -1 }, 'PAWL_INVALID_OPTION', /multipartT/],
    [b.path, { prove: 'x' as 'hash' }, 'PAWL_INVALID_OPTION', /prove/],
    [b.path, { checkpoint: '' }, 'PAWL_INVALID_OPTION', /checkpoint/],
    [
      b.path,
      { checkpoint: 'a', checkpointDir: 'b' },
      'PAWL_INVALID_OPTION',
      /only one/,
    ],
    [b.path, { checkpointDir: '' }, 'PAWL_INVALID_OPTION', /checkpointDir/],
    [b.path, { onProgress: 1 as never }, 'PAWL_INVALID_OPTION', /onProgress/],
    [b.path, { on: { part: 1 as never } }, 'PAWL_INVALID_OPTION', /on\.part/],
    [b.path, { partSize: 1 }, 'PAWL_INVALID_OPTION', /partSize/],
  ]
  for (const [path, more, code, message] of rows) {
    await t.rejects(uploadFile(path, { ...b.options, ...more }), {
      code,
      message,
    })
  }
  t.same(b.server.requests, [])
})

await t.test('the content type is guessed from the name', async (t) => {
  const b = await fileBench(t, { size: 10 })
  const rows: [string, string, UploadFileOptions['object'], unknown][] = [
    ['page.html', 'k', {}, 'text/html'],
    ['data', 'picture.png', {}, 'image/png'],
    ['page.html', 'k', { contentType: 'text/plain' }, 'text/plain'],
    ['page.html', 'k', { headers: { 'Content-Type': 'a/b' } }, 'a/b'],
  ]
  for (const [name, to, object = {}, expected] of rows) {
    const path = join(b.directory, name)
    await writeFile(path, b.bytes)
    await uploadFile(path, { ...b.options, key: to, object })
    t.equal(b.seen('PutObject').at(-1)?.headers['content-type'], expected)
  }
})

await t.test('progress and events tell what happens', async (t) => {
  const b = await fileBench(t, { size: 6 * smallPart + 1 })
  await b.runSome(3)
  const progress: Progress[] = []
  const names: string[] = []
  const result = await b.run({
    onProgress: (counts) => void progress.push(counts),
    on: {
      resumed: () => void names.push('resumed'),
      initiated: () => void names.push('initiated'),
      part: () => void names.push('part'),
    },
  })
  t.same(names, ['resumed', ...Array.from({ length: 7 }, () => 'part')])
  t.match(progress.at(-1), {
    bytesRead: b.bytes.length,
    bytesStored: b.bytes.length,
    bytesReused: result.bytesReused,
    bytesTotal: b.bytes.length,
    bytesSent: b.bytes.length - result.bytesReused,
  })
})

await t.test('what is done grows within parts, and never falls', async (t) => {
  const [mib, views] = [1024 * 1024, 4]
  const b = await fileBench(t, {
    size: 3 * views * mib,
    mode: { partSize: views * mib, concurrency: 1 },
  })
  const failed = new Set<number>()
  // The first attempt at each part breaks behind its first half.
  b.server.setFault(({ operation, partNumber = 0 }) => {
    if (operation !== 'UploadPart' || failed.has(partNumber)) return undefined
    failed.add(partNumber)
    return { kind: 'reset-body', afterBytes: (views / 2) * mib }
  })
  const seen: Progress[] = []
  let time = 0
  await uploadFileOn(
    b.path,
    { ...b.options, onProgress: (counts) => void seen.push(counts) },
    // Every count is old enough to be told.
    { ...realUploadEnvironment, monotonic: () => (time += 101) },
  )
  t.equal(failed.size, 3)
  for (const [i, { bytesDone, bytesStored }] of seen.entries()) {
    const before = seen[i - 1]?.bytesDone ?? 0
    t.ok(bytesDone >= before && bytesDone >= bytesStored, `${bytesDone}`)
    t.ok(bytesDone <= b.bytes.length, 'no more is done than there is')
  }
  t.ok(
    seen.some(({ bytesDone, bytesStored }) => bytesDone > bytesStored),
    'it runs ahead of the parts that are stored',
  )
  t.match(seen.at(-1), {
    bytesDone: b.bytes.length,
    bytesStored: b.bytes.length,
  })
})

await t.test('a listener that throws ends the upload', async (t) => {
  const b = await fileBench(t, { size: 6 * smallPart })
  const on = {
    part: () => {
      throw new Error('not this')
    },
  }
  await t.rejects(b.run({ on }), { message: 'not this' })
  t.match(await b.run(), { resumed: true })
})

await t.test('a signal that is aborted already', async (t) => {
  const b = await fileBench(t, { size: 6 * smallPart })
  await t.rejects(b.run({ signal: AbortSignal.abort() }), {
    code: 'PAWL_SUSPENDED',
  })
  t.same(b.server.requests, [])
  t.same(await b.logs(), [])
})

await t.test('a signal while a server hangs', async (t) => {
  const b = await fileBench(t, { size: 6 * smallPart })
  const stop = new AbortController()
  b.server.setFault(({ operation }) => {
    if (operation !== 'UploadPart') return undefined
    setImmediate(() => stop.abort())
    return { kind: 'silence' }
  })
  await t.rejects(b.run({ signal: stop.signal }), {
    code: 'PAWL_SUSPENDED',
    resumable: true,
    transient: true,
  })
  b.server.setFault(undefined)
  t.match(await b.run(), { resumed: true })
})

await t.test(
  'what goes in one request has a log only for a reason',
  async (t) => {
    const size = 1000
    const rows: [
      string,
      (b: FileBench) => Partial<UploadFileOptions>,
      boolean,
    ][] = [
      ['nothing asked for', () => ({}), false],
      [
        'a directory for logs',
        ({ directory }) => ({ checkpointDir: directory }),
        false,
      ],
      ['no log', () => ({ checkpoint: false }), false],
      [
        'a path',
        ({ directory }) => ({ checkpoint: join(directory, 'own.pawl') }),
        true,
      ],
      [
        'a sink',
        ({ directory }) => ({
          checkpoint: fileCheckpoint(join(directory, 'own.pawl')),
        }),
        true,
      ],
      ['forbidOverwrite', () => ({ object: { forbidOverwrite: true } }), true],
    ]
    for (const [name, more, isLogged] of rows) {
      const b = await fileBench(t, { size })
      let logs: string[] = []
      b.server.setFault(({ operation }) => {
        if (operation !== 'PutObject') return undefined
        logs = readdirSync(b.directory).filter((file) => file.endsWith('.pawl'))
        return undefined
      })
      t.match(await b.run(more(b)), { checkpointLeft: false, parts: 0 }, name)
      t.equal(logs.length, isLogged ? 1 : 0, `${name}: while it is put`)
      t.same(await b.logs(), [], `${name}: behind it`)
      t.ok(b.bytes.equals(await b.object(key)))
    }
  },
)

await t.test('a directory for logs that is not there is told', async (t) => {
  const b = await fileBench(t, { size: 1000 })
  const checkpointDir = join(b.directory, 'none')
  await t.rejects(b.run({ checkpointDir }), { code: 'PAWL_CHECKPOINT_IO' })
  t.same(b.server.requests, [])
})

await t.test(
  'a log of parts that is there is gone on with, and closed',
  async (t) => {
    const b = await fileBench(t, { size: 6 * smallPart })
    await b.runSome(2)
    t.equal(b.server.openUploads().length, 1)
    const bytes = b.bytes.subarray(0, 1000)
    await writeFile(b.path, bytes)
    t.match(await b.run(), { size: 1000, parts: 0, checkpointLeft: false })
    t.ok(bytes.equals(await b.object(key)))
    t.same(b.server.openUploads(), [], 'its upload is aborted')
    t.same(await b.logs(), [])
  },
)

await t.test(
  'a PutObject that was never heard is put again by the next call',
  async (t) => {
    const b = await fileBench(t, { size: 1000 })
    b.server.setFault(({ operation }) =>
      operation === 'PutObject'
        ? { kind: 'reply-lost' }
        : { kind: 'status', status: 503 },
    )
    const error: unknown = await b
      .run({ retry: { attempts: 1 } })
      .catch((reason: unknown) => reason)
    t.match(error, { resumable: false, transient: true })
    t.same(await b.logs(), [])
    b.server.setFault(undefined)
    t.match(await b.run(), { resumed: false })
    t.equal(b.seen('PutObject').length, 2)
    t.equal(b.seen('HeadObject').length, 1, 'the run that heard nothing looked')
  },
)

await t.test(
  'an MD5 goes with what is put, where it tells anything',
  async (t) => {
    const b = await fileBench(t, { size: 1000 })
    const md5 = createHash('md5').update(b.bytes).digest('base64')
    const off = { verify: false, checkpoint: false } as const
    const blind = { ...wrapStore(b.store, {}), digest: 'none' } as const
    const rows: [string, Partial<UploadFileOptions>, string | undefined][] = [
      ['it is compared', { checkpoint: false }, md5],
      [
        'a later run looks for it',
        { ...off, checkpoint: memoryCheckpoint() },
        md5,
      ],
      ['nobody asks for it', off, undefined],
      ['no mark shows whose it is', { ...off, mark: false }, md5],
      [
        'the store cannot be asked for more',
        { checkpoint: false, store: blind },
        md5,
      ],
      [
        'nothing may be replaced',
        { ...off, key: 'new', object: { forbidOverwrite: true } },
        md5,
      ],
    ]
    for (const [why, options, expected] of rows) {
      await b.run(options)
      const put = b.seen('PutObject').at(-1)
      t.equal(put?.headers['content-md5'], expected, why)
    }
  },
)

await t.test(
  'what is put without a log and a mark is found when no answer comes',
  async (t) => {
    const b = await fileBench(t, {
      size: 1000,
      fault: ({ operation }) =>
        operation === 'PutObject' ? { kind: 'reply-lost' } : undefined,
    })
    const result = await b.run({
      verify: false,
      checkpoint: false,
      mark: false,
      retry: { attempts: 2, baseDelay: 1, maxDelay: 2 },
    })
    t.equal(result.size, 1000)
    t.equal(b.seen('PutObject').length, 1)
  },
)

await t.test('a small file is read once, and to its end', async (t) => {
  const b = await fileBench(t, { size: 1000 })
  const result = await b.run()
  t.equal(result.size, 1000)
  t.same(b.files.reads, [{ position: 0, length: 1000 }])
  const rows: [string, () => Promise<unknown>, string, RegExp][] = [
    ['longer', () => appendFile(b.path, 'x'), 'PAWL_SOURCE_CHANGED', /1001/],
    ['shorter', () => truncate(b.path, 7), 'PAWL_SOURCE_CHANGED', /ends at 7/],
  ]
  for (const [how, change, code, message] of rows) {
    await writeFile(b.path, b.bytes)
    let isDone = false
    const files = new WatchedFiles({
      onRead: async () => {
        if (isDone) return
        isDone = true
        await change()
      },
    })
    const before = b.seen('PutObject').length
    await t.rejects(b.run({}, files), { code, message }, how)
    t.equal(b.seen('PutObject').length, before, `${how}: nothing is sent`)
  }
})

await t.test('what is put whole counts once for each attempt', async (t) => {
  const b = await fileBench(t, { size: 1000 })
  let puts = 0
  b.server.setFault(({ operation }) =>
    operation === 'PutObject' && puts++ < 2
      ? { kind: 'status', status: 500 }
      : undefined,
  )
  const seen: Progress[] = []
  await b.run({ onProgress: (counts) => void seen.push(counts) })
  t.match(seen.at(-1), {
    bytesRead: 1000,
    bytesSent: 3000,
    bytesStored: 1000,
    bytesDone: 1000,
  })
})
