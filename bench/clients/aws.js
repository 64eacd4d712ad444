/** `@aws-sdk/lib-storage`: `Upload` of a stream; CRC-32 of each part by default. */
import { createReadStream } from 'node:fs'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'

export async function createClient({ port, checksums = true, origin }) {
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: origin ?? `http://127.0.0.1:${port}`,
    forcePathStyle: true,
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
    ...(checksums
      ? {}
      : {
          requestChecksumCalculation: 'WHEN_REQUIRED',
          responseChecksumValidation: 'WHEN_REQUIRED',
        }),
  })
  return {
    run: ({ path, key }) =>
      new Upload({
        client,
        params: { Bucket: 'bench', Key: key, Body: createReadStream(path) },
        partSize: 8 * 1024 * 1024,
        queueSize: 4,
      }).done(),
    end: () => client.destroy(),
  }
}
