/** The other side of `digest.ts`: one job after the other, over shared memory. */
import { parentPort } from 'node:worker_threads'
import type { RunningDigest } from './crc64.js'
import { Digests, type DigestJob, type DigestReply } from './digest.js'

const slice = 1024 * 1024
const digests = new Digests({ canThread: false })
/** Digests whose last bytes are still to come. */
const running = new Map<number, RunningDigest>()
const port = parentPort
if (port === null) throw new Error('digest-worker runs only as a worker')

let last: Promise<void> = Promise.resolve()
port.on('message', (job: DigestJob) => {
  last = last.then(() => work(job))
})
port.postMessage('ready')

async function work({ id, of, kind, pieces, isLast }: DigestJob) {
  const hasher = running.get(of) ?? (await digests.create(kind))
  for (const { memory, offset, size } of pieces) {
    for (let start = 0; start < size; start += slice) {
      const length = Math.min(slice, size - start)
      hasher.update(new Uint8Array(memory, offset + start, length))
    }
  }
  if (isLast) running.delete(of)
  else running.set(of, hasher)
  const value = isLast ? hasher.digest() : undefined
  const reply: DigestReply = { id, value }
  port?.postMessage(reply)
}
