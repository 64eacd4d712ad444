/** Whatever is wrong with a call gets a code, and costs nothing that is there. */
import { existsSync } from 'node:fs'
import { readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import {
  createResumableUploadStream,
  ossStore,
  type UploadStreamOptions,
} from '../../lib/index.js'
import {
  devStore,
  noise,
  smallPart,
  type DevStore,
} from '../support/dev-store.js'

const key = 'backups/db.dump'
const GiB = 1024 ** 3

async function attempt(
  { store, directory }: DevStore,
  options: Partial<UploadStreamOptions>,
  bytes = noise(2 * smallPart),
): Promise<void> {
  const upload = createResumableUploadStream({
    store,
    key,
    checkpoint: join(directory, 'log.pawl'),
    partSize: smallPart,
    ...options,
  })
  try {
    await pipeline(Readable.from([bytes]), upload)
  } finally {
    await upload.result.catch(() => undefined)
  }
}

const dev = await devStore(t)

for (const [name, options] of [
  ['an empty key', { key: '' }],
  ['a key of 1,024 bytes', { key: 'é'.repeat(512) }],
  ['a key that begins with a slash', { key: '/backups/db.dump' }],
  ['a key that begins with a backslash', { key: '\\backups' }],
  ['an ACL that does not exist', { object: { acl: 'nonsense' } }],
  ['half a surrogate pair in the key', { key: 'a\ud800' }],
  ['a part of 102,399 bytes', { partSize: smallPart - 1 }],
  ['a part of more than 5 GiB', { partSize: 5 * GiB + 1 }],
  ['a part size that is no whole number', { partSize: smallPart + 0.5 }],
  ['a size that 10,000 parts cannot hold', { size: 10_001 * 5 * GiB }],
  ['a negative size', { size: -1 }],
  ['no concurrency', { concurrency: 0 }],
  ['a concurrency in words', { concurrency: 'many' as 'auto' }],
  ['a concurrency of half a part', { concurrency: 0.5 }],
  ['no rate', { maxRate: 0 }],
  ['a rate in words', { maxRate: '5M' as unknown as number }],
  ['a rate as a BigInt', { maxRate: 5n as unknown as number }],
  ['a concurrency as a BigInt', { concurrency: 5n as unknown as number }],
  ['a proof as a BigInt', { proof: 5n as unknown as 'xxh64' }],
  ['a negative high-water mark', { highWaterMark: -1 }],
  ['a high-water mark in words', { highWaterMark: '1M' as unknown as number }],
  ['an empty checkpoint', { checkpoint: '' }],
  ['an empty sourceId', { sourceId: '' }],
  ['a header with a line end', { object: { contentType: 'a\r\nx-evil: 1' } }],
  [
    'metadata with a line end',
    { object: { metadata: { name: 'a\nx-evil: 1' } } },
  ],
  ['retry.attempts 0', { retry: { attempts: 0 } }],
  ['retry.patience -1', { retry: { patience: -1 } }],
  ['a stall timeout of 0', { timeout: { stall: 0 } }],
] as const) {
  await t.test(`${name} is refused before anything is opened`, async (t) => {
    const { store, directory } = dev
    t.throws(
      () =>
        createResumableUploadStream({
          store,
          key,
          checkpoint: join(directory, 'log.pawl'),
          ...options,
        }),
      { code: 'PAWL_INVALID_OPTION' },
    )
    t.same(dev.server.requests, [])
  })
}

await t.test('options that are missing are named', async (t) => {
  const { store } = dev
  const bad = (options: object): (() => unknown) => {
    return () =>
      createResumableUploadStream(options as unknown as UploadStreamOptions)
  }
  const code = 'PAWL_INVALID_OPTION'
  t.throws(bad({ key, checkpoint: false }), { code, message: /store/ })
  t.throws(bad({ store, checkpoint: false }), { code, message: /key/ })
  t.throws(bad({ store, key }), { code, message: /checkpoint/ })
})

await t.test('verify that the store cannot give is refused', async (t) => {
  const store = Object.create(dev.store, {
    digest: { value: 'md5' },
  }) as typeof dev.store
  t.throws(
    () =>
      createResumableUploadStream({
        store,
        key,
        checkpoint: false,
        verify: 'crc64',
      }),
    { code: 'PAWL_VERIFY_UNSUPPORTED' },
  )
})

await t.test(
  'credentials that are nowhere are asked for by name',
  async (t) => {
    const names = ['OSS_ACCESS_KEY_ID', 'OSS_ACCESS_KEY_SECRET']
    for (const name of names) delete process.env[name]
    t.throws(
      () => ossStore({ region: 'cn-hangzhou', bucket: 'examplebucket' }),
      {
        code: 'PAWL_CREDENTIALS',
        message: /OSS_ACCESS_KEY_ID/,
      },
    )
  },
)

await t.test('a bucket that does not exist', async (t) => {
  const store = dev.another({ bucket: 'no-such-bucket' })
  for (const bytes of [noise(10), noise(2 * smallPart)]) {
    await t.rejects(attempt(dev, { store }, bytes), {
      code: 'PAWL_NO_SUCH_BUCKET',
      serverCode: 'NoSuchBucket',
      status: 404,
      key,
    })
    const log = join(dev.directory, 'log.pawl')
    t.notOk(existsSync(log), 'no log is in the way of the right bucket')
  }
})

await t.test("a wrong secret: the server's words are in fields", async (t) => {
  const store = dev.another({
    credentials: { accessKeyId: 'dev', accessKeySecret: 'typing-error' },
  })
  await t.rejects(attempt(dev, { store }), {
    code: 'PAWL_ACCESS_DENIED',
    status: 403,
    serverCode: 'SignatureDoesNotMatch',
    requestId: /^[0-9A-F]{24}$/,
    hostId: String,
    ec: String,
    attempts: 1,
    key,
  })
})

await t.test('a checkpoint in a directory that does not exist', async (t) => {
  const checkpoint = join(dev.directory, 'missing', 'log.pawl')
  const before = dev.server.requests.length
  await t.rejects(attempt(dev, { checkpoint }), {
    code: 'PAWL_CHECKPOINT_IO',
    message: /missing/,
  })
  t.equal(dev.server.requests.length, before, 'nothing was sent')
})

await t.test('a checkpoint of another target is left as it is', async (t) => {
  const checkpoint = join(dev.directory, 'other.pawl')
  await t.rejects(
    attempt(dev, {
      checkpoint,
      beforeComplete: () => Promise.reject(new Error('stop here')),
    }),
    { code: 'PAWL_BEFORE_COMPLETE' },
  )
  const before = await readFile(checkpoint)
  await t.rejects(attempt(dev, { checkpoint, key: 'another/key' }), {
    code: 'PAWL_CHECKPOINT_MISMATCH',
    message: /backups\/db\.dump/,
  })
  t.ok(before.equals(await readFile(checkpoint)))
  await attempt(dev, { checkpoint })
})

for (const [name, bytes] of [
  ['a dump', noise(300_000)],
  ['text', Buffer.from('-- PostgreSQL database dump\n')],
  ['zeros', Buffer.alloc(5000)],
] as const) {
  await t.test(`${name} given as the checkpoint is not touched`, async (t) => {
    const checkpoint = join(dev.directory, 'db.dump')
    await writeFile(checkpoint, bytes, { mode: 0o600 })
    await utimes(checkpoint, 1000, 2000)
    const before = await stat(checkpoint, { bigint: true })
    await t.rejects(attempt(dev, { checkpoint }), {
      code: 'PAWL_NOT_A_CHECKPOINT',
    })
    const after = await stat(checkpoint, { bigint: true })
    t.ok(bytes.equals(await readFile(checkpoint)))
    for (const field of [
      'ino',
      'mode',
      'size',
      'mtimeNs',
      'ctimeNs',
    ] as const) {
      t.equal(after[field], before[field], field)
    }
  })
}
