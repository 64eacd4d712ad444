import type { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'

/** A stream; what fails is sent again from its beginning. */
export async function uploadWithLibStorage(
  client: S3Client,
  source: Readable,
  { bucket, key, signal }: { bucket: string; key: string; signal: AbortSignal },
): Promise<void> {
  const upload = new Upload({
    client,
    params: {
      Bucket: bucket,
      Key: key,
      Body: source,
      ContentType: 'application/gzip',
      Metadata: { host: 'db1' },
    },
    partSize: 8 * 1024 * 1024,
    queueSize: 4,
  })
  const onAbort = () => void upload.abort()
  signal.addEventListener('abort', onAbort, { once: true })
  upload.on('httpUploadProgress', ({ loaded }) => console.log(loaded))
  await upload.done()
}
