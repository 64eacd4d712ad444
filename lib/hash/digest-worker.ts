/** The other side of `digest.ts`: one job after the other, over shared memory. */
import { parentPort } from 'node:worker_threads'
import { Digests, type DigestJob, type DigestReply } from './digest.js'

const slice = 1024 * 1024
const digests = new Digests({ canThread: false })
const port = parentPort
if (port === null) throw new Error('digest-worker runs only as a worker')

let last: Promise<void> = Promise.resolve()
port.on('message', (job: DigestJob) => {
  last = last.then(() => work(job))
})
port.postMessage('ready')

async function work({ id, kind, memory, offset, size }: DigestJob) {
  const hasher = await digests.create(kind)
  for (let start = 0; start < size; start += slice) {
    const length = Math.min(slice, size - start)
    hasher.update(new Uint8Array(memory, offset + start, length))
  }
  const reply: DigestReply = { id, value: hasher.digest() }
  port?.postMessage(reply)
}
