/** What is in memory, or in a Blob, is uploaded like a file. */
import { openAsBlob } from 'node:fs'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  UploadError,
  uploadBytes,
  type Bytes,
  type UploadBytesOptions,
} from '../../lib/index.js'
import { devStore, noise, smallPart } from '../support/dev-store.js'

const bytes = noise(3 * smallPart + 5)
const inside = new Uint8Array(bytes.length + 20)
inside.set(bytes, 10)

const dev = await devStore(t)

function options(
  key: string,
  more: Partial<UploadBytesOptions> = {},
): UploadBytesOptions {
  return { store: dev.store, key, partSize: smallPart, concurrency: 1, ...more }
}

const sources: [string, Bytes, Buffer][] = [
  ['a Buffer', bytes, bytes],
  ['a typed array', Uint8Array.from(bytes), bytes],
  ['a view of larger memory', inside.subarray(10, 10 + bytes.length), bytes],
  ['a DataView', new DataView(inside.buffer, 10, bytes.length), bytes],
  ['an ArrayBuffer', Uint8Array.from(bytes).buffer, bytes],
  ['shared memory', shared(bytes), bytes],
  ['a Blob', new Blob([bytes]), bytes],
  ['a File', new File([bytes], 'db.dump'), bytes],
  ['a slice of a Blob', new Blob([bytes]).slice(7), bytes.subarray(7)],
  ['no bytes', new Uint8Array(), Buffer.alloc(0)],
  ['an empty Blob', new Blob([]), Buffer.alloc(0)],
  ['16-bit numbers', Uint16Array.of(0x0201, 0x0403), Buffer.of(1, 2, 3, 4)],
]

function shared(of: Uint8Array): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(of.length)
  new Uint8Array(memory).set(of)
  return memory
}

for (const [name, source, expected] of sources) {
  await t.test(`${name} is uploaded`, async (t) => {
    const key = `of/${name}`
    const result = await uploadBytes(source, options(key))
    t.match(result, { key, size: expected.length, verified: 'crc64' })
    t.ok(expected.equals(await dev.object(key)))
  })
}

const others: [string, unknown][] = [
  ['a text', 'bytes'],
  ['nothing', undefined],
  ['null', null],
  ['an array', [1, 2, 3]],
  ['a file path as a URL', new URL('file:///tmp/x')],
]

for (const [name, source] of others) {
  await t.test(`${name} is refused`, async (t) => {
    await t.rejects(
      Reflect.apply(uploadBytes, undefined, [source, options('refused')]),
      { code: 'PAWL_INVALID_OPTION', message: /a Blob is required/ },
    )
  })
}

const wrong: [string, object, RegExp][] = [
  ['a listener that is none', { on: { part: 1 } }, /on\.part must be/],
  ['an event that there is not', { on: { parts: () => 0 } }, /mean part\?/],
  ['a size', { size: 3 }, /bytes are as many/],
  [
    'a checkpoint of another scheme',
    { checkpoint: new URL('http://x/l') },
    /file/,
  ],
]

for (const [name, more, message] of wrong) {
  await t.test(`${name} is refused`, async (t) => {
    await t.rejects(uploadBytes(bytes, options('refused', more)), {
      code: 'PAWL_INVALID_OPTION',
      message,
    })
  })
}

await t.test('memory that was transferred is refused', async (t) => {
  const memory = new ArrayBuffer(8)
  const view = new Uint8Array(memory)
  structuredClone(memory, { transfer: [memory] })
  for (const gone of [memory, view]) {
    await t.rejects(uploadBytes(gone, options('refused')), {
      code: 'PAWL_INVALID_OPTION',
      message: /transferred/,
    })
  }
})

await t.test('the same call goes on where another stopped', async (t) => {
  const checkpoint = join(dev.directory, 'bytes.pawl')
  const stop = new AbortController()
  const stopped = uploadBytes(
    bytes,
    options('resumed', {
      checkpoint,
      signal: stop.signal,
      on: { part: ({ partNumber }) => partNumber === 2 && stop.abort() },
    }),
  )
  await t.rejects(stopped, { code: 'PAWL_SUSPENDED', resumable: true })
  let done = 0
  const result = await uploadBytes(
    new Blob([bytes]),
    options('resumed', {
      checkpoint,
      onProgress: ({ bytesDone }) => (done = bytesDone),
    }),
  )
  t.match(result, { partsReused: 2, resumed: true })
  t.equal(done, bytes.length)
  t.ok(bytes.equals(await dev.object('resumed')))
})

await t.test('the object is what was read, though it changes', async (t) => {
  const memory = Uint8Array.from(bytes)
  await uploadBytes(
    memory,
    options('changed', { on: { part: () => void memory.fill(0) } }),
  )
  const object = await dev.object('changed')
  t.equal(object.length, bytes.length)
  t.ok(bytes.subarray(0, smallPart).equals(object.subarray(0, smallPart)))
})

await t.test('a content type is that of the Blob, or of the key', async (t) => {
  const typed = new Blob(['{}'], { type: 'text/x-pawl' })
  const rows: [Bytes, string, Partial<UploadBytesOptions>, string][] = [
    [typed, 'a.json', {}, 'text/x-pawl'],
    [new Blob(['{}']), 'b.json', {}, 'application/json'],
    [Buffer.from('{}'), 'c.json', {}, 'application/json'],
    [typed, 'd.json', { object: { contentType: 'text/y' } }, 'text/y'],
    [
      typed,
      'e.json',
      { object: { headers: { 'Content-Type': 'text/z' } } },
      'text/z',
    ],
  ]
  for (const [source, key, more, expected] of rows) {
    await uploadBytes(source, options(key, more))
    const [put] = dev.seen('PutObject').slice(-1)
    t.equal(put?.headers['content-type'], expected, key)
  }
})

await t.test('a Blob that cannot be read keeps what is stored', async (t) => {
  const path = join(dev.directory, 'source')
  await writeFile(path, noise(3 * 1024 * 1024))
  const blob = await openAsBlob(path)
  const checkpoint = join(dev.directory, 'blob.pawl')
  let isChanged = false
  const failed = await uploadBytes(
    blob,
    options('blob', {
      checkpoint,
      beforeComplete: () => t.fail('it is not whole'),
      on: {
        part() {
          if (!isChanged) void appendFile(path, 'more')
          isChanged = true
        },
      },
    }),
  ).catch((error: unknown) => error)
  t.type(failed, UploadError)
  t.match(failed, { code: 'PAWL_SOURCE_IO', resumable: true })
  const next = await openAsBlob(path)
  const result = await uploadBytes(next, options('blob', { checkpoint }))
  t.ok(result.partsReused > 0)
  t.equal(result.size, 3 * 1024 * 1024 + 4)
})
