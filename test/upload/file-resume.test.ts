import {
  mkdir,
  readdir,
  readFile,
  rename,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  discardFileUpload,
  memoryCheckpoint,
  uploadFile,
  type PartEvent,
} from '../../lib/index.js'
import { discardFileUploadOn } from '../../lib/upload/file.js'
import {
  realUploadEnvironment,
  type UploadEnvironment,
} from '../../lib/upload/options/environment.js'
import { smallPart } from '../support/dev-store.js'
import { fileBench, key, loggedBytes, modes } from '../support/file-bench.js'
import { WatchedFiles } from '../support/watched-files.js'

for (const [name, mode] of Object.entries(modes)) {
  const { partSize } = mode

  await t.test(`${name}: what is stored is not read again`, async (t) => {
    const b = await fileBench(t, { size: 20 * partSize + 5, mode })
    const error = await b.runSome(12)
    const told = { resumable: true, transient: true }
    t.match(error, { code: 'PAWL_SUSPENDED', ...told })
    const bytesStored = await loggedBytes(b)
    const files = new WatchedFiles()
    const before = b.seen('UploadPart').length
    const result = await b.run({}, files)
    t.ok(b.bytes.equals(await b.object(key)))
    t.equal(files.bytesRead, b.bytes.length - bytesStored)
    t.ok(bytesStored >= 12 * partSize)
    t.equal(result.resumed, true)
    t.ok(result.bytesReused >= bytesStored)
    t.equal(b.seen('UploadPart').length - before, 21 - result.partsReused)
  })

  await t.test(
    `${name}: a hole in the middle is all that is read`,
    async (t) => {
      const b = await fileBench(t, { size: 6 * partSize, mode })
      b.server.setFault(({ partNumber }) =>
        partNumber === 3 ? { kind: 'stall' } : undefined,
      )
      await b.runSome(5)
      b.server.setFault(undefined)
      const files = new WatchedFiles()
      const events: PartEvent[] = []
      await b.run({ on: { part: (event) => void events.push(event) } }, files)
      t.ok(b.bytes.equals(await b.object(key)))
      t.equal(files.bytesRead, partSize)
      t.ok(files.reads.every(({ position }) => position >= 2 * partSize))
      t.same(
        events
          .toSorted((a, b) => a.partNumber - b.partNumber)
          .map(({ partNumber, reused }) => [partNumber, reused]),
        [
          [1, true],
          [2, true],
          [3, false],
          [4, true],
          [5, true],
          [6, true],
        ],
      )
    },
  )

  await t.test(`${name}: prove 'hash' reads everything`, async (t) => {
    const b = await fileBench(t, { size: 6 * partSize, mode })
    await b.runSome(4)
    const files = new WatchedFiles()
    const result = await b.run({ prove: 'hash' }, files)
    t.ok(b.bytes.equals(await b.object(key)))
    t.ok(files.bytesRead >= b.bytes.length)
    t.ok(result.partsReused >= 4)
  })
}

await t.test(
  'a file that is 99 % done is read for the last part',
  async (t) => {
    const b = await fileBench(t, { size: 100 * smallPart, mode: modes.held })
    b.server.setFault(({ partNumber }) =>
      partNumber === 57 ? { kind: 'stall' } : undefined,
    )
    await b.runSome(99)
    b.server.setFault(undefined)
    const files = new WatchedFiles()
    const result = await b.run({}, files)
    t.ok(b.bytes.equals(await b.object(key)))
    t.equal(result.partsReused, 99)
    // Besides the looks whether it is longer than it says.
    const reads = files.reads.filter(({ length }) => length > 0)
    t.ok(reads.every(({ position }) => position >= 56 * smallPart))
    t.equal(files.bytesRead, smallPart)
  },
)

await t.test('a file written to just now is read again', async (t) => {
  const b = await fileBench(t, { size: 8 * smallPart })
  const young = () => new WatchedFiles({ age: 0 })
  await b.runSome(5, {}, young())
  const second = young()
  await b.runSome(1, {}, second)
  t.ok(second.bytesRead >= 6 * smallPart, 'proved by hash')
})

await t.test(
  'parts that were proved of a settled file are not read a third time',
  async (t) => {
    const b = await fileBench(t, { size: 12 * smallPart })
    await b.runSome(5, {}, new WatchedFiles({ age: 0 }))
    await b.runSome(2)
    const bytesStored = await loggedBytes(b)
    t.ok(bytesStored >= 7 * smallPart)
    const files = new WatchedFiles()
    await b.run({}, files)
    t.equal(files.bytesRead, 12 * smallPart - bytesStored)
  },
)

await t.test(
  'a source that shrank below a part is one PutObject',
  async (t) => {
    const b = await fileBench(t, { size: 6 * smallPart })
    await b.runSome(2)
    await truncate(b.path, 99)
    const result = await b.run()
    t.match(result, { size: 99, parts: 0, resumed: false })
    t.same(b.server.openUploads(), [], 'the old upload was aborted')
  },
)

await t.test('an upload begun in parts goes on in parts', async (t) => {
  const b = await fileBench(t, { size: 6 * smallPart })
  await b.runSome(3)
  const result = await b.run({ partSize: 10 * smallPart })
  t.match(result, { parts: 6, resumed: true })
})

await t.test('two targets of a file never share a log', async (t) => {
  const b = await fileBench(t, { size: 6 * smallPart })
  await b.runSome(2)
  await b.runSome(2, { key: 'another' })
  const names = await b.logs()
  t.equal(names.length, 2)
  for (const name of names) t.match(name, /^db\.dump\.[0-9a-f]{32}\.pawl$/)
  t.match(await b.run(), { resumed: true, key })
  t.match(await b.run({ key: 'another' }), { resumed: true, key: 'another' })
  t.same(await b.logs(), [])
})

await t.test(
  'logs in a directory are told apart by file and target',
  async (t) => {
    const b = await fileBench(t, { size: 6 * smallPart })
    const checkpointDir = join(b.directory, 'logs')
    await t.rejects(b.run({ checkpointDir }), { message: /logs/ })
    await mkdir(checkpointDir)
    await b.runSome(2, { checkpointDir })
    await b.runSome(2, { checkpointDir, key: 'another' })
    t.equal((await readdir(checkpointDir)).length, 2)
    t.match(await b.run({ checkpoint: checkpointDir }), { resumed: true })
    t.same(await b.logs(), [], 'nothing beside the file')
    t.equal((await readdir(checkpointDir)).length, 1)
  },
)

await t.test('a long name leaves room for the log', async (t) => {
  const b = await fileBench(t, { size: 6 * smallPart })
  const path = join(b.directory, 'n'.repeat(250))
  await rename(b.path, path)
  const stop = new AbortController()
  const on = { part: () => stop.abort() }
  const options = { ...b.options, signal: stop.signal, on }
  await t.rejects(uploadFile(path, options), { code: 'PAWL_SUSPENDED' })
  t.equal((await b.logs()).length, 1)
  t.match(await uploadFile(path, b.options), { resumed: true })
})

await t.test(
  'without a checkpoint nothing is left and nothing resumed',
  async (t) => {
    const b = await fileBench(t, { size: 6 * smallPart })
    t.match(await b.runSome(2, { checkpoint: false }), { resumable: false })
    t.same(await b.logs(), [])
    t.match(await b.run({ checkpoint: false }), { resumed: false })
  },
)

await t.test(
  'a log that a power cut has left full of zeros is set aside, and nothing refused',
  async (t) => {
    for (const zeros of [4096, Infinity]) {
      const b = await fileBench(t, { size: 20 * smallPart })
      await b.runSome(18)
      const [log = ''] = await b.logs()
      const path = join(b.directory, log)
      const bytes = await readFile(path)
      t.ok(bytes.length > 4096, 'there is more than its first block')
      await writeFile(path, bytes.fill(0, 0, Math.min(zeros, bytes.length)))
      const restarts: string[] = []
      const result = await b.run({
        on: { restarted: ({ reason }) => void restarts.push(reason) },
      })
      t.match(result, { resumed: false, checkpointLeft: false })
      t.same(restarts, ['log-damaged'])
      t.ok(b.bytes.equals(await b.object(key)))
      t.same(await b.logs(), [])
      t.ok(bytes.equals(await readFile(`${path}.damaged`)), 'it is kept')
    }
  },
)

await t.test('a checkpoint of the caller', async (t) => {
  const b = await fileBench(t, { size: 6 * smallPart })
  const checkpoint = memoryCheckpoint()
  await b.runSome(2, { checkpoint })
  t.match(await b.run({ checkpoint }), { resumed: true })
})

await t.test('the log of a file is discarded where it is kept', async (t) => {
  const b = await fileBench(t, { size: 6 * smallPart })
  await b.runSome(2)
  const opened: string[] = []
  const { logFiles } = realUploadEnvironment
  const environment: UploadEnvironment = {
    ...realUploadEnvironment,
    logFiles: {
      ...logFiles,
      open: (path, how) => {
        opened.push(path)
        return logFiles.open(path, how)
      },
    },
  }
  await discardFileUploadOn(b.path, b.options, environment)
  t.ok(opened.length > 0)
  t.same(b.server.openUploads(), [])
})

await t.test('discardFileUpload removes parts and log', async (t) => {
  const b = await fileBench(t, { size: 6 * smallPart })
  await b.runSome(2)
  t.equal(b.server.openUploads().length, 1)
  await discardFileUpload(b.path, b.options)
  t.same(b.server.openUploads(), [])
  t.same(await b.logs(), [])
  await discardFileUpload(b.path, b.options)
})

await t.test('part size is raised to fit 10,000 parts', async (t) => {
  const b = await fileBench(t, { size: 0, discard: true })
  const size = 10_000 * smallPart + 1
  await truncate(b.path, size)
  const parts: PartEvent[] = []
  const stop = new AbortController()
  const on = {
    part: (event: PartEvent) => {
      parts.push(event)
      stop.abort()
    },
  }
  await t.rejects(b.run({ on, signal: stop.signal }), {
    code: 'PAWL_SUSPENDED',
  })
  t.equal(parts[0]?.size, 1024 * 1024)
})
