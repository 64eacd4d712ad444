import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createResumableUploadStream, type ObjectStore } from 'pawl'

/** The same with pawl; run again after a failure, it goes on. */
export async function uploadWithPawl(
  store: ObjectStore,
  source: Readable,
  {
    key,
    checkpoint,
    signal,
  }: { key: string; checkpoint: string; signal: AbortSignal },
): Promise<void> {
  const upload = createResumableUploadStream({
    store,
    key,
    checkpoint,
    object: { contentType: 'application/gzip', metadata: { host: 'db1' } },
    partSize: 8 * 1024 * 1024,
    concurrency: 4,
    signal,
  })
  upload.on('progress', ({ bytesDone }) => console.log(bytesDone))
  await pipeline(source, upload)
}
