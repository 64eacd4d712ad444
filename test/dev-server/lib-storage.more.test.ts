/** The SDK's own uploader, unchanged, against the S3 dialect. */
import { Readable } from 'node:stream'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import t from 'tap'
import { startDevServer, type DevServer } from '../../lib/dev-server/index.js'
import { noise, sha256 } from '../support/dev-store.js'

const Bucket = 'examplebucket'
const partSize = 5 * 1024 * 1024

function client(server: DevServer): S3Client {
  return new S3Client({
    region: 'us-east-1',
    endpoint: server.endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: 'dev', secretAccessKey: 'dev-secret' },
  })
}

function* chunksOf(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 65_536) {
    yield bytes.subarray(at, at + 65_536)
  }
}

const rows = [
  { what: 'a small buffer', size: 1000, stream: false, parts: 0 },
  { what: 'a buffer', size: 3 * partSize + 1, stream: false, parts: 4 },
  { what: 'a stream', size: 3 * partSize + 1, stream: true, parts: 4 },
  { what: 'whole parts', size: 2 * partSize, stream: true, parts: 2 },
  { what: 'an empty stream', size: 0, stream: true, parts: 0 },
]

for (const { what, size, stream, parts } of rows) {
  await t.test(`Upload stores ${what}`, async (t) => {
    const server = await startDevServer()
    t.teardown(() => server.close())
    const s3 = client(server)
    const bytes = noise(size, size + 1)
    const Key = `dir/${what} +%`
    const progress: (number | undefined)[] = []
    const upload = new Upload({
      client: s3,
      partSize,
      queueSize: 3,
      params: {
        Bucket,
        Key,
        Body: stream ? Readable.from(chunksOf(bytes)) : bytes,
        ContentType: 'text/plain',
        Metadata: { a: 'b' },
      },
    })
    upload.on('httpUploadProgress', ({ loaded }) => progress.push(loaded))
    const done = await upload.done()
    t.match(done, { Bucket, Key, ETag: /^"[0-9a-f]{32}(-\d+)?"$/ })
    t.equal(progress.at(-1), size)
    const got = await s3.send(
      new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }),
    )
    const read = await got.Body?.transformToByteArray()
    t.equal(sha256(read ?? Buffer.of()), sha256(bytes))
    t.match(got, { ContentType: 'text/plain', Metadata: { a: 'b' } })
    const sent = server.requests.filter((r) => r.operation === 'UploadPart')
    t.equal(sent.length, parts)
    t.same(server.openUploads(), [])
  })
}

await t.test('an aborted Upload leaves nothing', async (t) => {
  let onPart = (): void => undefined
  const partSeen = new Promise<void>((resolve) => (onPart = resolve))
  const server = await startDevServer({
    fault(request) {
      if (request.operation !== 'UploadPart') return undefined
      onPart()
      return { kind: 'trickle', bytesPerSecond: 100_000 }
    },
  })
  t.teardown(() => server.close())
  const upload = new Upload({
    client: client(server),
    partSize,
    params: { Bucket, Key: 'aborted', Body: noise(3 * partSize) },
  })
  const done = t.rejects(upload.done(), { name: 'AbortError' })
  await partSeen
  await upload.abort()
  await done
  t.equal(server.objectPath(Bucket, 'aborted'), undefined)
})

await t.test('a server that asks for less is asked again', async (t) => {
  let refusals = 2
  const server = await startDevServer({
    fault: ({ operation }) =>
      operation === 'UploadPart' && refusals-- > 0
        ? { kind: 'status', status: 503, code: 'SlowDown' }
        : undefined,
  })
  t.teardown(() => server.close())
  const bytes = noise(2 * partSize)
  const upload = new Upload({
    client: client(server),
    partSize,
    params: { Bucket, Key: 'slow', Body: bytes },
  })
  await upload.done()
  t.equal(server.requests.filter((r) => r.partNumber !== undefined).length, 4)
})
