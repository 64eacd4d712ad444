/**
 * One large file by machines that take ranges of its parts from a queue: a flow of
 * BullMQ, whose parent completes what its children have sent. `STEP=plan` once, or
 * again after any failure; `STEP=work` on each machine that sees the file.
 */
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { FlowProducer, Worker, type Job } from 'bullmq'
import { Redis } from 'ioredis'
import { ossStore } from 'pawl'
import { redisCheckpoint } from 'pawl/redis'
import {
  beginUpload,
  completeUpload,
  file,
  type PartReceipt,
  type Ticket,
  uploadParts,
} from 'pawl/shared'

const {
  STEP: step,
  SOURCE: source = '',
  KEY: key = '',
  ROOT: root = '/mnt',
  PARTS_A_JOB: partsAJob = '100',
  LEASE: lease = '30000',
  REDIS_PORT: port = '6379',
} = process.env

const store = ossStore({
  region: process.env['OSS_REGION'] ?? 'cn-hangzhou',
  bucket: process.env['OSS_BUCKET'] ?? 'examplebucket',
  ...(process.env['OSS_ENDPOINT'] === undefined
    ? {}
    : { endpoint: process.env['OSS_ENDPOINT'] }),
})
const connection = { port: Number(port), maxRetriesPerRequest: null }
const redis = new Redis(connection)
const queueName = 'ranges'

// #region shown
interface Range {
  ticket: Ticket
  path: string
  sourceId: string
  parts: [first: number, last: number]
}

function logOf(name: string) {
  return redisCheckpoint({ client: redis, name, lease: Number(lease) })
}

async function plan(): Promise<void> {
  const { size, mtimeMs } = await stat(source)
  const sourceId = String(mtimeMs)
  const checkpoint = logOf(key)
  const ticket = await beginUpload({ store, key, size, sourceId, checkpoint })
  if ('done' in ticket) return
  // Of the upload, so that what is planned again is the same jobs.
  const id = Buffer.from(ticket.uploadId).toString('hex')
  const tries = { attempts: 20, backoff: { type: 'exponential', delay: 1000 } }
  const ranges: [number, number][] = []
  for (let first = 1; first <= ticket.parts; first += Number(partsAJob)) {
    const last = Math.min(first + Number(partsAJob) - 1, ticket.parts)
    ranges.push([first, last])
  }
  const flow = new FlowProducer({ connection })
  await flow.add({
    name: 'complete',
    queueName,
    data: { ticket },
    opts: { ...tries, jobId: `complete-${id}` },
    children: ranges.map((parts) => ({
      name: 'send',
      queueName,
      data: { ticket, path: source, sourceId, parts } satisfies Range,
      // Without the first option a parent waits for ever for one that has failed.
      opts: {
        ...tries,
        failParentOnFailure: true,
        jobId: `send-${id}-${parts[0]}`,
      },
    })),
  })
  await flow.close()
}

/** What comes out of a queue is input, so it is held within bounds. */
const prefix = 'backups/'

async function work(job: Job): Promise<unknown> {
  if (job.name === 'send') {
    const { ticket, path, sourceId, parts }: Range = job.data
    const options = { store, source: file(path), sourceId, parts, prefix, root }
    return uploadParts(ticket, options)
  }
  const { ticket }: { ticket: Ticket } = job.data
  const sent = await job.getChildrenValues<PartReceipt[]>()
  const receipts = Object.values(sent).flat()
  const checkpoint = logOf(ticket.key)
  return completeUpload(ticket, { store, checkpoint, receipts, prefix })
}
// #endregion

if (step === 'plan') await plan()

if (step === 'work') {
  const worker = new Worker(queueName, work, {
    connection,
    concurrency: 2,
    lockDuration: Number(lease),
    stalledInterval: Number(lease),
    // One would fail a range after two machines that died.
    maxStalledCount: 1000,
  })
  worker.on('error', (error) => console.error(error.message))
  await once(process, 'SIGTERM')
  await worker.close()
}

redis.disconnect()
await store.close()
