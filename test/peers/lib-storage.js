/** @aws-sdk/lib-storage and the client below it. */
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectRetentionCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { accessKey, secretKey } from './desk.js'

const require = createRequire(import.meta.url)
const Bucket = 'lib-storage'
const MiB = 1024 * 1024

export const libStorage = {
  version: async () => require('@aws-sdk/lib-storage/package.json').version,
  *steps({ endpoint, tree }) {
    const client = new S3Client({
      endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
      maxAttempts: 1,
    })
    const upload = (Key, Body, more = {}) =>
      new Upload({
        client,
        params: { Bucket, Key, Body, ...more },
        partSize: 5 * MiB,
        queueSize: 3,
      })
    const read = async (Key) => {
      const got = await client.send(
        new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }),
      )
      return Buffer.from(await got.Body.transformToByteArray())
    }
    const bytes = readFileSync(`${tree}/big.bin`)
    yield ['a bucket', () => client.send(new CreateBucketCommand({ Bucket }))]
    yield [
      'a Buffer',
      async () => {
        await upload('buffer', bytes).done()
        assert.ok(bytes.equals(await read('buffer')))
      },
    ]
    yield [
      'a stream of unknown length',
      async () => {
        const chunks = [bytes.subarray(0, 7), bytes.subarray(7)]
        const one = upload('stream', Readable.from(chunks))
        let loaded = 0
        one.on('httpUploadProgress', (progress) => (loaded = progress.loaded))
        const done = await one.done()
        assert.equal(loaded, bytes.length)
        assert.match(done.ETag, /-3"$/)
        assert.ok(bytes.equals(await read('stream')))
      },
    ]
    yield [
      'a stream of less than a part',
      async () => {
        await upload('small', Readable.from([Buffer.from('small')])).done()
        assert.equal((await read('small')).toString(), 'small')
      },
    ]
    for (const ChecksumAlgorithm of [
      'CRC32',
      'CRC32C',
      'CRC64NVME',
      'SHA256',
    ]) {
      yield [
        `checksums ${ChecksumAlgorithm}`,
        async () => {
          await upload('checked', bytes, { ChecksumAlgorithm }).done()
          assert.ok(bytes.equals(await read('checked')))
        },
      ]
    }
    yield [
      'one that is aborted leaves nothing',
      async () => {
        const one = upload('aborted', bytes)
        one.on('httpUploadProgress', () => void one.abort())
        await assert.rejects(one.done(), { name: 'AbortError' })
        const { Uploads = [] } = await client.send(
          new ListMultipartUploadsCommand({ Bucket }),
        )
        for (const { Key, UploadId } of Uploads) {
          await client.send(
            new AbortMultipartUploadCommand({ Bucket, Key, UploadId }),
          )
        }
        await assert.rejects(read('aborted'), { name: 'NoSuchKey' })
      },
    ]
    yield [
      'optimistic locking',
      async () => {
        const put = (Body, more) =>
          client.send(new PutObjectCommand({ Bucket, Key: 'l', Body, ...more }))
        const { ETag } = await put('one', { IfNoneMatch: '*' })
        const failed = { name: 'PreconditionFailed' }
        await assert.rejects(put('two', { IfNoneMatch: '*' }), failed)
        await put('two', { IfMatch: ETag })
        await assert.rejects(put('three', { IfMatch: ETag }), failed)
        assert.equal((await read('l')).toString(), 'two')
      },
    ]
    yield [
      'PutObjectRetention is refused, and nothing lost',
      async () => {
        const Retention = { Mode: 'GOVERNANCE' }
        await assert.rejects(
          client.send(
            new PutObjectRetentionCommand({ Bucket, Key: 'l', Retention }),
          ),
          { name: 'NotImplemented' },
        )
        assert.equal((await read('l')).toString(), 'two')
      },
    ]
    yield [
      'the end',
      async () => {
        const { Contents } = await client.send(
          new ListObjectsV2Command({ Bucket }),
        )
        const Objects = Contents.map(({ Key }) => ({ Key }))
        await client.send(
          new DeleteObjectsCommand({ Bucket, Delete: { Objects } }),
        )
        await client.send(new DeleteBucketCommand({ Bucket }))
        client.destroy()
      },
    ]
  },
}
