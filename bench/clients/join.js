/** Completing an object of parts that other machines have sent. */
import { memoryCheckpoint } from '../../dist/index.js'
import {
  beginUpload,
  completeUpload,
  uploadParts,
} from '../../dist/shared/index.js'
import { storeOf } from './pawl.js'

const partSize = 100 * 1024

export async function createClient({ parts, ...options }) {
  const store = storeOf(options)
  const block = new Uint8Array(partSize)
  let ready
  return {
    /** All parts are there, and their receipts are text, as a queue has them. */
    async prepare({ key }) {
      const checkpoint = memoryCheckpoint()
      const size = parts * partSize
      const ticket = await beginUpload({
        store,
        key,
        size,
        partSize,
        checkpoint,
      })
      const receipts = await uploadParts(ticket, {
        store,
        concurrency: 16,
        async *source(_offset, length) {
          yield block.subarray(0, length)
        },
      })
      ready = { ticket, checkpoint, text: JSON.stringify(receipts) }
    },
    async run() {
      const { ticket, checkpoint, text } = ready
      const receipts = JSON.parse(text)
      const options = { store, checkpoint, receipts }
      const result = await completeUpload(ticket, options)
      if (result.parts !== parts) throw new Error(`${result.parts} parts`)
    },
    end: () => store.close(),
  }
}
