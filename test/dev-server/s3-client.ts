/** The AWS SDK's client of a dev server. */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import type { Test } from 'tap'
import {
  startDevServer,
  type DevServer,
  type DevServerOptions,
} from '../../lib/dev-server/index.js'

export const Bucket = 'examplebucket'

/** A server and a client of it, both gone with the test. */
export async function s3Desk(
  t: Test,
  options: DevServerOptions = {},
  more: S3ClientConfig = {},
): Promise<{ server: DevServer; s3: S3Client }> {
  const server = await startDevServer(options)
  const s3 = new S3Client({
    region: 'us-east-1',
    endpoint: server.endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: 'dev', secretAccessKey: 'dev-secret' },
    maxAttempts: 1,
    ...more,
  })
  t.teardown(async () => {
    s3.destroy()
    await server.close()
  })
  return { server, s3 }
}
