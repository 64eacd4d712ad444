import { uploadFile, type ObjectStore } from 'pawl'

/** The same with pawl; the log is its own affair. */
export async function uploadWithPawl(
  store: ObjectStore,
  path: string,
  { key, checkpoint }: { key: string; checkpoint: string },
): Promise<void> {
  await uploadFile(path, {
    store,
    key,
    checkpoint,
    partSize: 1024 * 1024,
    concurrency: 4,
    onProgress: ({ bytesDone, bytesTotal = 0 }) =>
      console.log(`${Math.round((100 * bytesDone) / bytesTotal)} %`),
  })
}
