/**
 * Chunks that are kept instead of copied: of whom, while their part is expected to be
 * stored, and what becomes of them when its bytes are wanted all the same.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, ReadStream, type PathLike } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, type Readable, Writable } from 'node:stream'
import { buffer as bytesOf } from 'node:stream/consumers'
import t from 'tap'
import { UploadError } from '../../../lib/errors.js'
import { realEnvironment } from '../../../lib/environment.js'
import { processDigests } from '../../../lib/hash/digest.js'
import { hex64 } from '../../../lib/hash/xxh64.js'
import { LastingChunks } from '../../../lib/upload/source/piped-file.js'
import { MemoryPool } from '../../../lib/upload/source/memory-pool.js'
import { PartBuffers, pooled } from '../../../lib/upload/source/part-buffers.js'
import { KeptContent } from '../../../lib/upload/source/part-content.js'
import {
  type CutPart,
  loadCuttingTools,
  PartCutter,
} from '../../../lib/upload/source/part-cutter.js'
import { ViewPace } from '../../../lib/upload/source/view-pace.js'
import { temporaryDirectory } from '../../support/dev-store.js'

const KiB = 1024
const MiB = 1024 * KiB
const directory = await temporaryDirectory(t)
const path = join(directory, 'source')
await writeFile(path, randomBytes(MiB))
const tools = await loadCuttingTools()

function hashOf(bytes: Uint8Array): string {
  const hash = tools.xxh64.create()
  hash.update(bytes)
  return hex64(hash.digest())
}

class OwnReadStream extends ReadStream {
  constructor(file: PathLike) {
    // The types have no constructor.
    super(file as never)
  }
}

/** Of a chunk of 512 KiB, what is piped in, and who listens besides. */
const cases: [name: string, feed: (chunks: LastingChunks) => void, boolean][] =
  [
    ['a file that is piped in', (chunks) => chunks.begin(fileStream()), true],
    ['nothing is', () => undefined, false],
    [
      'it was piped in',
      (chunks) => {
        const source = fileStream()
        chunks.begin(source)
        chunks.end(source)
      },
      false,
    ],
    [
      'something else is',
      (chunks) => chunks.begin(new PassThrough().on('data', () => {})),
      false,
    ],
    [
      'something else is, too',
      (chunks) => {
        chunks.begin(new PassThrough())
        chunks.begin(fileStream())
      },
      false,
    ],
    [
      'somebody else listens for its data',
      (chunks) => chunks.begin(fileStream().on('data', () => {})),
      false,
    ],
    [
      'somebody else reads it',
      (chunks) => chunks.begin(fileStream().on('readable', () => {})),
      false,
    ],
    [
      'a stream of somebody else over a file',
      (chunks) => chunks.begin(opened(new OwnReadStream(path))),
      false,
    ],
  ]

function opened<Stream extends Readable>(source: Stream): Stream {
  t.teardown(async () => {
    source.destroy()
    if (!source.closed) await once(source, 'close')
  })
  source.pipe(new Writable({ write: () => undefined }))
  return source
}

function fileStream(): ReadStream {
  return opened(createReadStream(path))
}

for (const [name, feed, expected] of cases) {
  await t.test(`a chunk lasts, or not: ${name}`, async (t) => {
    const chunks = new LastingChunks()
    feed(chunks)
    const whole = new Uint8Array(512 * KiB)
    t.equal(chunks.isLasting(whole), expected)
    t.notOk(chunks.isLasting(whole.subarray(1)), 'a view never does')
    t.notOk(chunks.isLasting(new Uint8Array(64 * KiB)), 'nor a small one')
  })
}

interface Chunk {
  bytes: Buffer
  isLasting: boolean
}

/** Cuts chunks, of parts whose hashes are expected; `between` comes after each chunk. */
async function cut(
  chunks: Chunk[],
  partSize: number,
  expected: (partNumber: number) => string | undefined,
  between: (written: number) => void = () => undefined,
): Promise<{ parts: CutPart[]; pool: MemoryPool; error: unknown }> {
  const pool = new MemoryPool(realEnvironment, () => undefined)
  const parts: CutPart[] = []
  let error: unknown
  let fail: () => void = () => undefined
  const failed = new Promise<void>((resolve) => (fail = resolve))
  const cutter = new PartCutter({
    sizes: { partSize },
    buffers: new PartBuffers(partSize, 100, pooled(pool, true)),
    tools,
    collections: undefined,
    expected,
    onPart(part, next) {
      parts.push(part)
      next()
    },
    onError(thrown) {
      error = thrown
      fail()
    },
  })
  for (const [index, { bytes, isLasting }] of chunks.entries()) {
    const written = new Promise<void>((resolve) =>
      cutter.write(bytes, resolve, isLasting),
    )
    await Promise.race([written, failed])
    between(index + 1)
  }
  if (error === undefined) {
    const ended = new Promise<void>((resolve) => cutter.end(resolve))
    await Promise.race([ended, failed])
  }
  return { parts, pool, error }
}

function chunksOf(whole: Buffer, size: number, isLasting = true): Chunk[] {
  return Array.from({ length: Math.ceil(whole.length / size) }, (_, i) => ({
    bytes: Buffer.from(whole.subarray(i * size, (i + 1) * size)),
    isLasting,
  }))
}

const partSize = 400 * KiB
const whole = randomBytes(3 * partSize)
const partOf = (partNumber: number): Buffer =>
  whole.subarray((partNumber - 1) * partSize, partNumber * partSize)
const stored = (partNumber: number): string => hashOf(partOf(partNumber))

await t.test('parts that are stored take no memory', async (t) => {
  const chunks = chunksOf(whole, 300 * KiB)
  const { parts, pool } = await cut(chunks, partSize, stored)
  t.equal(parts.length, 3)
  for (const { partNumber, pieces, xxh64, size } of parts) {
    t.ok(Buffer.concat(pieces).equals(partOf(partNumber)))
    t.equal(xxh64, stored(partNumber))
    t.equal(size, partSize)
  }
  t.equal(pool.bytesInUse, 0)
})

await t.test('what is not kept is in memory of its own', async (t) => {
  const lasting = chunksOf(whole, 300 * KiB)
  const mixed = lasting.map((chunk, i) => ({ ...chunk, isLasting: i !== 1 }))
  const others: [
    string,
    Chunk[],
    (partNumber: number) => string | undefined,
  ][] = [
    ['parts that nobody expects', lasting, () => undefined],
    ['parts of another hash', lasting, () => hashOf(Buffer.of())],
    ['chunks that do not last', chunksOf(whole, 300 * KiB, false), stored],
  ]
  for (const [name, chunks, expected] of others) {
    const { parts, pool } = await cut(chunks, partSize, expected)
    for (const { partNumber, copied, pieces, xxh64, release } of parts) {
      t.equal(copied, undefined, name)
      for (const { bytes } of chunks) bytes.fill(0)
      t.ok(Buffer.concat(pieces).equals(partOf(partNumber)), name)
      t.equal(xxh64, stored(partNumber), name)
      release()
    }
    t.equal(pool.bytesInUse, 0, name)
    for (const [i, { bytes }] of chunks.entries()) {
      whole.copy(bytes, 0, i * 300 * KiB)
    }
  }
  const { parts } = await cut(mixed, partSize, stored)
  t.same(
    parts.map(({ copied }) => copied === undefined),
    [true, true, false],
    'a part is kept whole or not at all',
  )
  for (const { partNumber, pieces } of parts) {
    t.ok(Buffer.concat(pieces).equals(partOf(partNumber)))
  }
})

await t.test(
  'larger parts are copied: their chunks would grow old',
  async (t) => {
    const large = Buffer.alloc(17 * MiB, 'large')
    const expected = (): string => hashOf(large)
    const { parts } = await cut(chunksOf(large, 4 * MiB), 17 * MiB, expected)
    t.same(
      parts.map(({ copied }) => copied),
      [undefined],
    )
  },
)

await t.test('bytes that are wanted all the same are copied', async (t) => {
  const { parts, pool } = await cut(
    chunksOf(whole, 300 * KiB),
    partSize,
    stored,
  )
  const [part] = parts
  if (part?.copied === undefined) throw new Error('the part was to be kept')
  const { size, xxh64, copied, release } = part
  const content = new KeptContent(size, xxh64, copied, processDigests)
  content.expect('xxh64')
  t.equal(await content.digest('xxh64'), stored(1))
  await content.settled()
  t.equal(pool.bytesInUse, 0, 'its hash is known')
  t.equal(
    await content.digest('md5'),
    await processDigests.here('md5', partOf(1)),
  )
  const memory = pool.bytesInUse
  t.ok(memory >= partSize)
  for (const piece of part.pieces) piece.fill(0)
  const sent: number[] = []
  const body = content.body(new ViewPace(() => 0), (bytes) => sent.push(bytes))
  t.ok(partOf(1).equals(await bytesOf(body())), 'of the copy')
  t.equal(
    sent.reduce((sum, bytes) => sum + bytes, 0),
    partSize,
  )
  t.equal(pool.bytesInUse, memory, 'once')
  await content.settled()
  release()
  t.equal(pool.bytesInUse, 0)
})

function flip(bytes: Buffer): void {
  const last = bytes.length - 1
  bytes.writeUInt8(bytes.readUInt8(last) ^ 1, last)
}

/** The memory is another thread's, and not here any more. */
function transfer({ buffer }: Buffer): void {
  if (!(buffer instanceof ArrayBuffer)) throw new Error('it is shared')
  structuredClone(buffer, { transfer: [buffer] })
}

const changed = {
  code: 'PAWL_SOURCE_IO',
  message: /part 1 were changed in memory/,
  partNumber: 1,
}

await t.test(
  'bytes that were changed meanwhile are sent to nobody',
  async (t) => {
    for (const change of [flip, transfer]) {
      // After the part was cut.
      const chunks = chunksOf(whole, partSize)
      const { parts } = await cut(chunks, partSize, stored)
      change(chunks[0]?.bytes ?? Buffer.of())
      t.throws(() => parts[0]?.copied?.(), changed)
      const { size = 0, xxh64 = '', copied = () => [] } = parts[0] ?? {}
      const content = new KeptContent(size, xxh64, copied, processDigests)
      await t.rejects(content.digest('md5'), changed)
      t.throws(
        () => content.body(new ViewPace(() => 0), () => undefined),
        changed,
      )

      // Before that, of a part that is not the one that is stored.
      const pieces = chunksOf(whole, 300 * KiB)
      const { error, pool } = await cut(
        pieces,
        partSize,
        () => hashOf(Buffer.of()),
        (written) => {
          if (written === 1) change(pieces[0]?.bytes ?? Buffer.of())
        },
      )
      t.ok(error instanceof UploadError)
      t.match(error, changed)
      t.equal(pool.bytesInUse, 0)
    }
  },
)
