/** One upload, or one discard, with something at each of its steps. */
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { FileCheckpoint } from '../../lib/checkpoint/file-checkpoint.js'
import { nodeFileSystem } from '../../lib/checkpoint/file-system.js'
import { platformLocker } from '../../lib/checkpoint/lock.js'
import { ossStore } from '../../lib/store/oss/store.js'
import { createResumableUploadStream } from '../../lib/upload/stream.js'
import { diskWithSteps, storeWithSteps, type OnStep } from './steps.js'

export interface CrashJob {
  endpoint: string
  key: string
  checkpoint: string
  file: string
  partSize: number
  concurrency: number
  discard: boolean
}

export async function runJob(job: CrashJob, step: OnStep): Promise<void> {
  const store = storeWithSteps(
    ossStore({
      endpoint: job.endpoint,
      region: 'cn-hangzhou',
      bucket: 'examplebucket',
      credentials: { accessKeyId: 'dev', accessKeySecret: 'dev-secret' },
    }),
    step,
  )
  const upload = createResumableUploadStream({
    store,
    key: job.key,
    checkpoint: new FileCheckpoint(
      job.checkpoint,
      () => platformLocker(),
      diskWithSteps(nodeFileSystem, step),
    ),
    partSize: job.partSize,
    concurrency: job.concurrency,
  })
  if (job.discard) {
    await upload.discard()
  } else {
    await pipeline(Readable.from([await readFile(job.file)]), upload)
    await upload.result
  }
  await store.close()
}
