/** The AWS SDK's client of a dev server. */
import {
  S3Client,
  UploadPartCommand,
  type CompletedPart,
  type S3ClientConfig,
  type UploadPartCommandInput,
} from '@aws-sdk/client-s3'
import type { Test } from 'tap'
import {
  startDevServer,
  type DevServer,
  type DevServerOptions,
} from '../../lib/dev-server/index.js'

export const Bucket = 'examplebucket'

export function clientOf(
  { endpoint }: DevServer,
  more: S3ClientConfig = {},
): S3Client {
  return new S3Client({
    region: 'us-east-1',
    endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: 'dev', secretAccessKey: 'dev-secret' },
    maxAttempts: 1,
    ...more,
  })
}

/** A server and a client of it, both gone with the test. */
export async function s3Desk(
  t: Test,
  options: DevServerOptions = {},
  more: S3ClientConfig = {},
): Promise<{ server: DevServer; s3: S3Client }> {
  const server = await startDevServer(options)
  const s3 = clientOf(server, more)
  t.teardown(async () => {
    s3.destroy()
    await server.close()
  })
  return { server, s3 }
}

/** Sends a part; what Complete has to say of it. */
export async function sendPart(
  t: Test,
  s3: S3Client,
  part: Omit<UploadPartCommandInput, 'Bucket'>,
): Promise<CompletedPart> {
  const { $metadata, ...receipt } = await s3.send(
    new UploadPartCommand({ Bucket, ...part }),
  )
  t.equal($metadata.httpStatusCode, 200)
  return { PartNumber: part.PartNumber, ...receipt }
}
