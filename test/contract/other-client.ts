/**
 * Somebody else at the same bucket: the official clients, which know nothing of
 * this library. They read back what it wrote, and interfere with its uploads.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import OSS from 'ali-oss'
import { sha256 } from '../support/dev-store.js'

export interface SeenObject {
  contentType: string | undefined
  cacheControl: string | undefined
  contentDisposition: string | undefined
  metadata: Record<string, string>
}

export interface OtherClient {
  /** Of the bytes under a key, in hex. */
  sha256(key: string): Promise<string>
  head(key: string): Promise<SeenObject>
  put(key: string, bytes: Buffer): Promise<void>
  putPart(
    key: string,
    uploadId: string,
    partNumber: number,
    bytes: Buffer,
  ): Promise<void>
  abort(key: string, uploadId: string): Promise<void>
  remove(key: string): Promise<void>
  close(): void
}

export function awsClient(Bucket: string, config: S3ClientConfig): OtherClient {
  const s3 = new S3Client({
    // By default it sends checksums that many servers do not know.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...config,
  })
  return {
    async sha256(Key) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
      if (Body === undefined) throw new Error(`${Key} has no body`)
      const hash = createHash('sha256')
      for await (const chunk of Body as AsyncIterable<Uint8Array>) {
        hash.update(chunk)
      }
      return hash.digest('hex')
    },
    async head(Key) {
      const seen = await s3.send(new HeadObjectCommand({ Bucket, Key }))
      return {
        contentType: seen.ContentType,
        cacheControl: seen.CacheControl,
        contentDisposition: seen.ContentDisposition,
        metadata: seen.Metadata ?? {},
      }
    },
    async put(Key, Body) {
      await s3.send(new PutObjectCommand({ Bucket, Key, Body }))
    },
    async putPart(Key, UploadId, PartNumber, Body) {
      await s3.send(
        new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }),
      )
    },
    async abort(Key, UploadId) {
      await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
    },
    async remove(Key) {
      await s3.send(new DeleteObjectCommand({ Bucket, Key }))
    },
    close: () => s3.destroy(),
  }
}

export function aliClient(
  options: ConstructorParameters<typeof OSS>[0],
): OtherClient {
  const oss = new OSS({ authorizationV4: true, ...options })
  return {
    sha256: async (key) => sha256((await oss.get(key)).content),
    async head(key) {
      const { res, meta } = await oss.head(key)
      return {
        contentType: res.headers['content-type'],
        cacheControl: res.headers['cache-control'],
        contentDisposition: res.headers['content-disposition'],
        metadata: meta ?? {},
      }
    },
    async put(key, bytes) {
      await oss.put(key, bytes)
    },
    async putPart(key, uploadId, partNumber, bytes) {
      // It takes parts from files only.
      const directory = await mkdtemp(join(tmpdir(), 'pawl-test-'))
      try {
        const file = join(directory, 'part')
        await writeFile(file, bytes)
        await oss.uploadPart(key, uploadId, partNumber, file, 0, bytes.length)
      } finally {
        await rm(directory, { recursive: true })
      }
    },
    async abort(key, uploadId) {
      await oss.abortMultipartUpload(key, uploadId)
    },
    async remove(key) {
      await oss.delete(key)
    },
    close: () => undefined,
  }
}
