/** A name that nobody reads is refused at once, with the one that was meant. */
import t from 'tap'
import {
  abortUploads,
  createPartStream,
  createResumableUploadStream,
  discardFileUpload,
  fileCheckpoint,
  listUploads,
  memoryCheckpoint,
  ossStore,
  uploadFile,
} from '../../../lib/index.js'

const code = 'PAWL_INVALID_OPTION'
const store = ossStore({
  bucket: 'examplebucket',
  region: 'cn-hangzhou',
  credentials: { accessKeyId: 'i', accessKeySecret: 's' },
})
t.teardown(() => store.close())

const common: [given: object, message: RegExp][] = [
  [{ concurency: 8 }, /no option concurency; did you mean concurrency\?/],
  [{ partsize: 8 }, /did you mean partSize\?/],
  [{ queueSize: 8 }, /say it by concurrency\./],
  [{ parallel: 8 }, /say it by concurrency\./],
  [{ abortSignal: 8 }, /say it by signal\./],
  [{ maxRetries: 8 }, /say it by retry: \{ attempts \}\./],
  [{ contentType: 'x' }, /say it by object: \{ contentType \}\./],
  [{ retry: { atempts: 8 } }, /^retry: .*did you mean attempts\?/],
  [{ retry: 8 }, /^retry: expected an object/],
  [{ timeout: { stal: 8 } }, /^timeout: .*did you mean stall\?/],
  [{ timeout: null }, /^timeout: expected an object/],
  [{ object: { contentTyp: 'x' } }, /^object: .*did you mean contentType\?/],
  [{ object: { meta: {} } }, /^object: .*say it by metadata\./],
  [
    { object: { encryption: { algorithm: 'KMS', keyID: 'x' } } },
    /^object\.encryption: .*did you mean keyId\?/,
  ],
  [
    { object: { callback: { url: 'x', boddy: 'x' } } },
    /^object\.callback: .*did you mean body\?/,
  ],
]

await t.test('of a stream', async (t) => {
  const required = { store, key: 'key', checkpoint: memoryCheckpoint() }
  const cases: typeof common = [
    ...common,
    [{ sourceID: 'x' }, /did you mean sourceId\?/],
    [{ onProgress: () => {} }, /say it by upload\.on\('progress', …\)\./],
    [{ checkpointDir: 'x' }, /say it by checkpoint, which may be a directory/],
  ]
  for (const [given, message] of cases) {
    t.throws(() => createResumableUploadStream({ ...required, ...given }), {
      code,
      message,
    })
  }
  t.throws(() => createResumableUploadStream(undefined as never), { code })
  const upload = createResumableUploadStream(required)
  const skipping = upload.skipUploaded({ trustsource: true } as never)
  await t.rejects(skipping, { code, message: /did you mean trustSource\?/ })
  await upload[Symbol.asyncDispose]()
})

await t.test('of a file, which is not looked for', async (t) => {
  const required = { store, key: 'key', checkpoint: memoryCheckpoint() }
  const cases: typeof common = [
    ...common,
    [{ size: 1 }, /a file has its own\./],
    [{ checkpointDirectory: 'x' }, /did you mean checkpointDir\?/],
    [{ on: { parts: () => {} } }, /^on: .*did you mean part\?/],
    [{ on: { progress: () => {} } }, /^on: .*say it by onProgress\./],
  ]
  for (const [given, message] of cases) {
    const options = { ...required, ...given }
    const expected = { code, message }
    await t.rejects(uploadFile('no-such-file', options), expected)
    await t.rejects(discardFileUpload('no-such-file', options), expected)
  }
})

await t.test('of lists, parts and checkpoints', async (t) => {
  const given = { prefx: 'x' } as object
  const message = /did you mean prefix\?/
  t.throws(() => listUploads(store, given), { code, message })
  t.throws(() => listUploads(store, { retry: { attempts: 0 } }), { code })
  t.throws(() => listUploads(store, { signal: {} as never }), { code })
  await t.rejects(abortUploads(store, { olderThan: 1, ...given }), {
    code,
    message,
  })
  await t.rejects(abortUploads(store, { olderThen: 1 } as never), {
    code,
    message: /did you mean olderThan\?/,
  })
  t.throws(
    () => createPartStream({ partSize: 1, buffer: 3 } as object as never),
    {
      code,
      message: /did you mean buffers\?/,
    },
  )
  t.throws(() => createPartStream({ size: 1 } as object as never), {
    code,
    message: /say it by partSize\./,
  })
  t.throws(() => fileCheckpoint('log.pawl', { locked: false } as object), {
    code,
    message: /did you mean lock\?/,
  })
})
