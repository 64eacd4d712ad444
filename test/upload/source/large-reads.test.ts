/** Files that are piped in are read in large pieces, and whatever else comes as it is. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, type ReadStream } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, type Readable, Transform, Writable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { LargeReads } from '../../../lib/upload/source/piped-file.js'
import { noise, temporaryDirectory } from '../../support/dev-store.js'
import { smallUploads } from '../../support/small-upload.js'

const KiB = 1024
const MiB = 1024 * KiB
const bytes = noise(9 * MiB + 77)
const directory = await temporaryDirectory(t)
const path = join(directory, 'source')
await writeFile(path, bytes)
for (const size of [0, 1, 64 * KiB, 64 * KiB + 1, 4 * MiB, 8 * MiB]) {
  await writeFile(`${path}-${size}`, bytes.subarray(0, size))
}

/** Takes what an upload takes, in the same way. */
class Sink extends Writable {
  readonly chunks: Buffer[] = []
  readonly #reads = new LargeReads()

  constructor() {
    super()
    this.on('pipe', (source: unknown) => this.#reads.begin(source))
    this.on('unpipe', (source: unknown) => this.#reads.end(source))
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: () => void,
  ): void {
    this.#reads.look()
    this.chunks.push(chunk)
    // Later, as when a part has to wait for room.
    setImmediate(done)
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get largest(): number {
    return Math.max(0, ...this.chunks.map(({ length }) => length))
  }
}

type Feed = (sink: Sink) => Promise<unknown>

/** Pipes, and waits until all has come. */
async function piped(source: Readable, sink: Sink): Promise<void> {
  source.pipe(sink)
  await finished(sink)
}

function asPromised(work: (source: ReadStream) => unknown): Feed {
  return async (sink) => {
    const source = createReadStream(path)
    await work(source)
    await pipeline(source, sink)
  }
}

/** What comes, and whether in pieces of more than Node's 64 KiB. */
const cases: [name: string, feed: Feed, expected: Buffer, isLarge: boolean][] =
  [
    ['by pipeline', asPromised(() => undefined), bytes, true],
    ['by pipe', (sink) => piped(createReadStream(path), sink), bytes, true],
    ['once it is open', asPromised((s) => once(s, 'open')), bytes, true],
    ['once it is ready', asPromised((s) => once(s, 'ready')), bytes, true],
    [
      'once it has something',
      asPromised((s) => once(s, 'readable')),
      bytes,
      true,
    ],
    ['paused before', asPromised((s) => s.pause()), bytes, true],
    [
      'resumed in the same turn',
      asPromised((s) => void s.pause().resume()),
      bytes,
      true,
    ],
    [
      'with a listener of its own',
      asPromised((s) => s.on('data', () => undefined)),
      bytes,
      true,
    ],
    [
      'with a range',
      (sink) => piped(createReadStream(path, { start: 5, end: 8 * MiB }), sink),
      bytes.subarray(5, 8 * MiB + 1),
      true,
    ],
    [
      'with a start alone',
      (sink) => piped(createReadStream(path, { start: 3 * MiB }), sink),
      bytes.subarray(3 * MiB),
      true,
    ],
    [
      'with a range of a byte',
      (sink) => piped(createReadStream(path, { start: 7, end: 7 }), sink),
      bytes.subarray(7, 8),
      false,
    ],
    [
      'with a mark of its own',
      (sink) => piped(createReadStream(path, { highWaterMark: 100_000 }), sink),
      bytes,
      false,
    ],
    [
      'with a large mark of its own',
      (sink) => piped(createReadStream(path, { highWaterMark: MiB }), sink),
      bytes,
      true,
    ],
    [
      'by a descriptor',
      async (sink) => {
        const file = await open(path)
        const { fd } = file
        await piped(createReadStream('', { fd, autoClose: false }), sink)
        await file.close()
      },
      bytes,
      true,
    ],
    [
      'by a handle',
      async (sink) => pipeline((await open(path)).createReadStream(), sink),
      bytes,
      true,
    ],
    [
      'by a handle that was read from',
      async (sink) => {
        const file = await open(path)
        await file.read(Buffer.alloc(10), 0, 10)
        await pipeline(file.createReadStream(), sink)
      },
      bytes.subarray(10),
      true,
    ],
    [
      'behind a transform',
      (sink) => pipeline(createReadStream(path), new PassThrough(), sink),
      bytes,
      false,
    ],
    [
      'behind a generator',
      (sink) =>
        pipeline(
          createReadStream(path),
          async function* (source: AsyncIterable<Buffer>) {
            yield* source
          },
          sink,
        ),
      bytes,
      false,
    ],
    [
      'in front of a transform that is not ours',
      (sink) =>
        pipeline(
          createReadStream(path),
          new Transform({
            transform: (chunk, _encoding, done) => done(null, chunk),
          }),
          sink,
        ),
      bytes,
      false,
    ],
    [
      'by iteration, which pipes nothing',
      async (sink) => {
        for await (const chunk of createReadStream(path)) {
          if (!sink.write(chunk)) await once(sink, 'drain')
        }
        sink.end()
        await finished(sink)
      },
      bytes,
      false,
    ],
    [
      'by a listener, which pipes nothing',
      async (sink) => {
        const source = createReadStream(path)
        source.on('data', (chunk) => sink.write(chunk))
        source.once('end', () => sink.end())
        await finished(sink)
      },
      bytes,
      false,
    ],
    [
      'one after the other',
      async (sink) => {
        const first = createReadStream(path)
        first.pipe(sink, { end: false })
        await once(first, 'end')
        await piped(createReadStream(path), sink)
      },
      Buffer.concat([bytes, bytes]),
      true,
    ],
    [
      'after its first bytes were taken',
      async (sink) => {
        const source = createReadStream(path)
        await once(source, 'readable')
        const head = source.read(1000) as Buffer
        sink.write(head)
        await piped(source, sink)
      },
      bytes,
      true,
    ],
    [
      'after bytes were put back',
      async (sink) => {
        const source = createReadStream(path)
        await once(source, 'readable')
        const head = source.read(1000) as Buffer
        source.unshift(head)
        await piped(source, sink)
      },
      bytes,
      true,
    ],
    [
      'piped, let go of and piped again',
      async (sink) => {
        const source = createReadStream(path)
        source.pipe(sink)
        await once(source, 'data')
        source.unpipe(sink)
        await new Promise(setImmediate)
        await piped(source, sink)
      },
      bytes,
      true,
    ],
    [
      'at its end already',
      async (sink) => {
        const source = createReadStream(`${path}-0`)
        source.resume()
        await once(source, 'end')
        source.pipe(sink)
        sink.end()
        await finished(sink)
      },
      Buffer.alloc(0),
      false,
    ],
    ...[0, 1, 64 * KiB, 64 * KiB + 1, 4 * MiB, 8 * MiB].map(
      (size): (typeof cases)[number] => [
        `of ${size} bytes`,
        (sink) => piped(createReadStream(`${path}-${size}`), sink),
        bytes.subarray(0, size),
        size > MiB,
      ],
    ),
    [
      'of the kernel, which says that they are empty',
      (sink) => piped(createReadStream('/proc/self/cmdline'), sink),
      Buffer.from([process.argv0, ...process.execArgv, ''].join('\0')),
      false,
    ],
  ]

for (const [name, feed, expected, isLarge] of cases) {
  await t.test(`a file ${name}`, async (t) => {
    const sink = new Sink()
    await feed(sink)
    if (name.startsWith('of the kernel')) t.ok(sink.bytes.length > 0)
    else t.ok(sink.bytes.equals(expected), `${sink.bytes.length} bytes`)
    const hasLarge = sink.largest > 100_000
    t.equal(hasLarge, isLarge, `pieces of up to ${sink.largest}`)
  })
}

await t.test('a decoded text is left alone', async (t) => {
  const source = createReadStream(path, { encoding: 'latin1' })
  new LargeReads().begin(source)
  await once(source, 'readable')
  t.equal(source.readableHighWaterMark, 64 * KiB)
  source.destroy()
})

await t.test('a source that is destroyed stays so', async (t) => {
  for (const wait of [undefined, 'open', 'readable']) {
    const source = createReadStream(path)
    if (wait !== undefined) await once(source, wait)
    const reads = new LargeReads()
    reads.begin(source)
    source.destroy()
    await once(source, 'close')
    reads.look()
    t.ok(source.destroyed)
    t.equal(source.bytesRead % (64 * KiB), 0)
  }
})

await t.test('a file that is not there tells so itself', async (t) => {
  const source = createReadStream(`${path}-nowhere`)
  await t.rejects(pipeline(source, new Sink()), { code: 'ENOENT' })
})

await t.test('a FIFO keeps its small pieces', async (t) => {
  const fifo = join(directory, 'fifo')
  await promisify(execFile)('mkfifo', [fifo])
  const writing = writeFile(fifo, bytes)
  const source = createReadStream(fifo)
  const sink = new Sink()
  await pipeline(source, sink)
  await writing
  t.ok(sink.bytes.equals(bytes))
  t.equal(source.readableHighWaterMark, 64 * KiB)
})

await t.test('so an upload reads it', async (t) => {
  const dev = await smallUploads(t)
  const source = createReadStream(path)
  const upload = dev.upload({ partSize: MiB })
  await pipeline(source, upload)
  t.match(await upload.result, { size: bytes.length, parts: 10 })
  t.ok(bytes.equals(await dev.object('backups/db.dump')))
  t.equal(source.readableHighWaterMark, 4 * MiB)
})
