/**
 * One large file by the pods of a Kubernetes Indexed Job, which all see it and a
 * volume in common. Three Jobs, one after the other, each run again as often as it
 * fails: `begin`, `send` with `completionMode: Indexed`, `complete`.
 */
import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ossStore } from 'pawl'
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
  VOLUME: volume = '',
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
const checkpoint = join(volume, 'upload.pawl')

if (step === 'begin') {
  const { size, mtimeMs } = await stat(source)
  const sourceId = String(mtimeMs)
  const ticket = await beginUpload({ store, key, size, sourceId, checkpoint })
  await write('ticket', ticket)
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

/** Whole or not at all: the pod may be killed at any time. */
async function write(name: string, value: unknown): Promise<void> {
  const path = join(volume, `${name}.json`)
  await writeFile(`${path}.new`, JSON.stringify(value))
  await rename(`${path}.new`, path)
}

/** What is wrong with it the calls say. */
async function read(name: string) {
  return JSON.parse(await readFile(join(volume, `${name}.json`), 'utf8'))
}

await store.close()
