/**
 * One large file by the pods of a Kubernetes Indexed Job, which have nothing in
 * common but that they see it: ticket, receipts and the log are in the bucket. Three
 * Jobs, one after the other, each run again as often as it fails: `begin`, `send`
 * with `completionMode: Indexed`, `complete`.
 */
import { stat } from 'node:fs/promises'
import { bucketCheckpoint, ossStore, uploadBytes } from 'pawl'
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
  LEASE: lease = '30000',
  PODS: pods = '1',
  JOB_COMPLETION_INDEX: index = '0',
} = process.env

const store = ossStore({
  region: process.env['OSS_REGION'] ?? 'cn-hangzhou',
  bucket: process.env['OSS_BUCKET'] ?? 'examplebucket',
  ...(process.env['OSS_ENDPOINT'] === undefined
    ? {}
    : { endpoint: process.env['OSS_ENDPOINT'] }),
})
const checkpoint = bucketCheckpoint({ store, key, lease: Number(lease) })

if (step === 'begin') {
  const { size, mtimeMs } = await stat(source)
  const sourceId = String(mtimeMs)
  const ticket = await beginUpload({ store, key, size, sourceId, checkpoint })
  if (!('done' in ticket)) await write('ticket', ticket)
}

if (step === 'send') {
  const ticket: Ticket = await read('ticket')
  const each = Math.ceil(ticket.parts / Number(pods))
  const first = Number(index) * each + 1
  const last = Math.min(first + each - 1, ticket.parts)
  const { mtimeMs } = await stat(source)
  const sourceId = String(mtimeMs)
  // The last pods have none when there are more pods than parts.
  const receipts =
    first > last
      ? []
      : await uploadParts(ticket, {
          store,
          source: file(source),
          sourceId,
          parts: [first, last],
        })
  await write(`receipts-${index}`, receipts)
}

if (step === 'complete') {
  const ticket: Ticket = await read('ticket')
  const names = Array.from({ length: Number(pods) }, (_, i) => `receipts-${i}`)
  const receipts: PartReceipt[][] = await Promise.all(names.map(read))
  const options = { store, checkpoint, receipts: receipts.flat() }
  const { etag } = await completeUpload(ticket, options)
  console.log(key, etag)
}

/** Beside the log, in the bucket. */
async function write(name: string, value: unknown): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(value))
  await uploadBytes(bytes, { store, key: placeOf(name) })
}

/** What is wrong with it the calls say. */
async function read(name: string) {
  const found = await store.getObject?.(
    { key: placeOf(name), maxBytes: 16 * 1024 * 1024 },
    {
      signal: AbortSignal.timeout(60_000),
      timeouts: { connect: 10_000, stall: 30_000, headers: 30_000 },
    },
  )
  if (found === undefined) throw new Error(`there is no ${placeOf(name)}`)
  return JSON.parse(Buffer.from(found.bytes).toString())
}

function placeOf(name: string): string {
  return `.pawl/jobs/${key}/${name}.json`
}

await store.close()
