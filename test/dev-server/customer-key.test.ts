/** Keys of the caller's own (SSE-C), as AWS has them. */
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  S3ServiceException,
  UploadPartCopyCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createResumableUploadStream, s3Store } from '../../lib/index.js'
import { temporaryDirectory } from '../support/dev-store.js'
import { send } from '../support/small-upload.js'
import { element } from './raw-client.js'
import { s3Call, type S3Call } from './raw-s3.js'
import { Bucket, s3Desk, sendPart } from './s3-client.js'

const md5 = (bytes: string | Buffer) => createHash('md5').update(bytes)
const keyOf = (letter: string) => {
  const bytes = Buffer.alloc(32, letter)
  const SSECustomerKeyMD5 = md5(bytes).digest('base64')
  return {
    SSECustomerAlgorithm: 'AES256',
    SSECustomerKey: bytes.toString('base64'),
    SSECustomerKeyMD5,
  }
}
const own = keyOf('a')
const wrong = keyOf('b')
/** What answers say: the key's MD5 and never the key. */
const said = {
  SSECustomerAlgorithm: 'AES256',
  SSECustomerKeyMD5: own.SSECustomerKeyMD5,
}
const sourceOf = (key: ReturnType<typeof keyOf>) => ({
  CopySourceSSECustomerAlgorithm: key.SSECustomerAlgorithm,
  CopySourceSSECustomerKey: key.SSECustomerKey,
  CopySourceSSECustomerKeyMD5: key.SSECustomerKeyMD5,
})
const refusal = (name: string, status: number) => ({
  name,
  $metadata: { httpStatusCode: status },
})
/** What a request is refused with; answers to HEAD have no body for a code. */
const statusOf = (request: Promise<unknown>): Promise<unknown> =>
  request.then(
    () => 200,
    (error: unknown) =>
      error instanceof S3ServiceException && error.$metadata.httpStatusCode,
  )

await t.test('what has a key is read with that key alone', async (t) => {
  const { server, s3 } = await s3Desk(t)
  const Key = 'k'
  const put = { Bucket, Key, Body: 'one' }
  const answer = await s3.send(new PutObjectCommand({ ...put, ...own }))
  t.match(answer, said)
  t.not(answer.ETag, `"${md5('one').digest('hex')}"`, 'the ETag is no MD5')
  const again = await s3.send(new PutObjectCommand({ ...put, ...own }))
  t.not(again.ETag, answer.ETag, 'and another one for the same bytes')

  const target = { Bucket, Key }
  const attributes = { ...target, ObjectAttributes: ['ETag' as const] }
  const copy = { Bucket, Key: 'copy', CopySource: `${Bucket}/k` }
  const asked = {
    GET: (key: object) => s3.send(new GetObjectCommand({ ...target, ...key })),
    HEAD: (key: object) =>
      s3.send(new HeadObjectCommand({ ...target, ...key })),
    attributes: (key: object) =>
      s3.send(new GetObjectAttributesCommand({ ...attributes, ...key })),
  }
  const noKey = refusal('InvalidRequest', 400)
  const wrongKey = refusal('AccessDenied', 403)
  await t.rejects(asked.GET({}), noKey)
  await t.rejects(asked.GET(wrong), wrongKey)
  t.equal(await statusOf(asked.HEAD({})), 400)
  t.equal(await statusOf(asked.HEAD(wrong)), 403)
  await t.rejects(asked.attributes({}), noKey)
  await t.rejects(asked.attributes(wrong), wrongKey)
  await t.rejects(s3.send(new CopyObjectCommand(copy)), noKey)
  await t.rejects(
    s3.send(new CopyObjectCommand({ ...copy, ...sourceOf(wrong) })),
    wrongKey,
  )
  t.match(await asked.HEAD(own), { ...said, ContentLength: 3 })
  await t.resolves(asked.attributes(own))
  const { Body, ...read } = await asked.GET(own)
  t.match(read, said)
  t.equal(await Body?.transformToString(), 'one')

  const copied = await s3.send(
    new CopyObjectCommand({ ...copy, ...sourceOf(own), ...wrong }),
  )
  t.equal(copied.SSECustomerKeyMD5, wrong.SSECustomerKeyMD5)
  await t.resolves(
    s3.send(new GetObjectCommand({ Bucket, Key: 'copy', ...wrong })),
    'a copy has the key that it was given',
  )
  await t.resolves(s3.send(new DeleteObjectCommand(target)))
  t.equal(server.objectPath(Bucket, Key), undefined, 'deleted without a key')
})

await t.test('what has no key is refused to who brings one', async (t) => {
  const { s3 } = await s3Desk(t)
  const target = { Bucket, Key: 'k' }
  const plain = await s3.send(new PutObjectCommand({ ...target, Body: 'one' }))
  t.equal(plain.ETag, `"${md5('one').digest('hex')}"`)
  await t.rejects(
    s3.send(new GetObjectCommand({ ...target, ...own })),
    refusal('InvalidRequest', 400),
  )
  const head = new HeadObjectCommand({ ...target, ...own })
  t.equal(await statusOf(s3.send(head)), 400)
})

/** An upload begun with a key, or without. */
async function begin(s3: S3Client, key: object): Promise<string> {
  const upload = { Bucket, Key: 'k', ...key }
  const { UploadId = '', ...answer } = await s3.send(
    new CreateMultipartUploadCommand(upload),
  )
  t.equal(
    answer.SSECustomerKeyMD5,
    'SSECustomerKeyMD5' in key ? key.SSECustomerKeyMD5 : undefined,
  )
  return UploadId
}

await t.test('parts come with the key of their upload', async (t) => {
  const { s3 } = await s3Desk(t, { minPartSize: 1 })
  const target = { Key: 'k', UploadId: await begin(s3, own) }
  const part = { ...target, PartNumber: 1, Body: 'one' }
  const refused = refusal('InvalidRequest', 400)
  await s3.send(new PutObjectCommand({ Bucket, Key: 'source', Body: 'two' }))
  const copied = { Bucket, ...target, PartNumber: 2 }
  const copy = { ...copied, CopySource: `${Bucket}/source` }
  for (const key of [{}, wrong]) {
    await t.rejects(sendPart(t, s3, { ...part, ...key }), refused)
    const command = new UploadPartCopyCommand({ ...copy, ...key })
    await t.rejects(s3.send(command), refused)
  }
  const plain = { ...part, UploadId: await begin(s3, {}) }
  await t.rejects(sendPart(t, s3, { ...plain, ...own }), refused)

  const { ETag } = await sendPart(t, s3, { ...part, ...own })
  t.not(ETag, `"${md5('one').digest('hex')}"`, 'the ETag is no MD5')
  const second = await s3.send(new UploadPartCopyCommand({ ...copy, ...own }))
  t.match(second, said)
  const listed = { Bucket, ...target }
  await t.rejects(
    s3.send(new ListPartsCommand({ ...listed, ...wrong })),
    refused,
  )
  t.match(await s3.send(new ListPartsCommand(listed)), {
    Parts: [{ ETag }, { ETag: second.CopyPartResult?.ETag }],
  })
  const Parts = [
    { PartNumber: 1, ETag },
    { PartNumber: 2, ETag: second.CopyPartResult?.ETag },
  ]
  const complete = { ...listed, MultipartUpload: { Parts } }
  await t.rejects(
    s3.send(new CompleteMultipartUploadCommand({ ...complete, ...wrong })),
    refused,
  )
  await t.resolves(s3.send(new CompleteMultipartUploadCommand(complete)))
  const { Body } = await s3.send(
    new GetObjectCommand({ Bucket, Key: 'k', ...own }),
  )
  t.equal(await Body?.transformToString(), 'onetwo')
})

await t.test('a key that is none is refused', async (t) => {
  const { server } = await s3Desk(t)
  const prefix = 'x-amz-server-side-encryption'
  const bytes = Buffer.alloc(32, 'a')
  const right: Record<string, string> = {
    [`${prefix}-customer-algorithm`]: 'AES256',
    [`${prefix}-customer-key`]: bytes.toString('base64'),
    [`${prefix}-customer-key-md5`]: md5(bytes).digest('base64'),
  }
  const short = Buffer.alloc(24, 'a')
  const rows: [string, Record<string, string | undefined>, string, RegExp][] = [
    [
      'no algorithm',
      { '-customer-algorithm': undefined },
      'InvalidArgument',
      /encryption algorithm/,
    ],
    [
      'another algorithm',
      { '-customer-algorithm': 'AES128' },
      'InvalidEncryptionAlgorithmError',
      /AES256/,
    ],
    [
      'no key',
      { '-customer-key': undefined },
      'InvalidArgument',
      /appropriate secret key/,
    ],
    [
      'no MD5',
      { '-customer-key-md5': undefined },
      'InvalidArgument',
      /calculated MD5 of the secret key/,
    ],
    [
      'an MD5 of something else',
      { '-customer-key-md5': md5('x').digest('base64') },
      'InvalidArgument',
      /did not match the hash/,
    ],
    [
      'a key of 24 bytes',
      {
        '-customer-key': short.toString('base64'),
        '-customer-key-md5': md5(short).digest('base64'),
      },
      'InvalidArgument',
      /secret key was invalid/,
    ],
    [
      'the key of the service as well',
      { '': 'AES256' },
      'InvalidArgument',
      /incompatible/,
    ],
  ]
  const calls: S3Call[] = [
    { method: 'PUT', key: 'k', body: 'one' },
    { method: 'POST', key: 'k', query: { uploads: '' } },
  ]
  for (const [what, change, code, message] of rows) {
    const headers = { ...right }
    for (const [name, value] of Object.entries(change)) {
      if (value === undefined) delete headers[prefix + name]
      else headers[prefix + name] = value
    }
    for (const call of calls) {
      const { status, text } = await s3Call(server, { ...call, headers })
      t.equal(status, 400, `${what}, ${call.method}`)
      t.equal(element(text, 'Code'), code)
      t.match(element(text, 'Message'), message)
    }
  }
  t.equal(server.objectPath(Bucket, 'k'), undefined)
  t.same(server.openUploads(), [])
})

await t.test('a key of KMS makes an ETag that is no MD5 either', async (t) => {
  const { s3 } = await s3Desk(t)
  const kms = { ServerSideEncryption: 'aws:kms' as const, SSEKMSKeyId: 'id' }
  const put = { Bucket, Key: 'k', Body: 'one', ...kms }
  const answer = await s3.send(new PutObjectCommand(put))
  t.match(answer, kms)
  t.not(answer.ETag, `"${md5('one').digest('hex')}"`)
})

await t.test('an upload of this library with a key of its own', async (t) => {
  const { server, s3 } = await s3Desk(t, { minPartSize: 1 })
  const store = s3Store({
    endpoint: server.endpoint,
    region: 'us-east-1',
    bucket: Bucket,
    credentials: { accessKeyId: 'dev', secretAccessKey: 'dev-secret' },
  })
  t.teardown(() => store.close())
  const name = 'x-amz-server-side-encryption-customer-'
  const headers = {
    [`${name}algorithm`]: own.SSECustomerAlgorithm,
    [`${name}key`]: own.SSECustomerKey,
    [`${name}key-md5`]: own.SSECustomerKeyMD5,
  }
  const partSize = 5 * 1024 * 1024
  const bytes = Buffer.alloc(partSize + 1, 'x')
  const directory = await temporaryDirectory(t)
  const run = async (): Promise<object> => {
    const upload = createResumableUploadStream({
      store,
      key: 'k',
      checkpoint: join(directory, 'log'),
      partSize,
      object: { headers },
    })
    await send(upload, bytes, 64 * 1024)
    return upload.result
  }
  server.setFault(({ operation }) =>
    operation === 'CompleteMultipartUpload'
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  await t.rejects(run(), { code: 'PAWL_ACCESS_DENIED' })
  server.setFault(undefined)
  t.match(await run(), { partsReused: 2, verified: 'none' })
  const { Body } = await s3.send(
    new GetObjectCommand({ Bucket, Key: 'k', ...own }),
  )
  const read = Buffer.from((await Body?.transformToByteArray()) ?? [])
  t.ok(bytes.equals(read))
  for (const path of await readdir(server.directory, {
    recursive: true,
    withFileTypes: true,
  })) {
    if (!path.isFile()) continue
    const kept = await readFile(join(path.parentPath, path.name))
    t.notOk(kept.includes(own.SSECustomerKey), 'the server keeps no key')
  }
})
