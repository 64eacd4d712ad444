/**
 * Everything is stored, by another process, and nothing is completed:
 * `beforeComplete` refused. The run makes the same call again, reads the source
 * once more and proves every part.
 */
import { execFileSync } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createResumableUploadStream } from '../../dist/index.js'
import { storeOf, uploadOptions } from './pawl.js'

export async function createClient(options) {
  const store = storeOf(options)
  async function upload({ path, key }, more) {
    const stream = createResumableUploadStream({
      ...uploadOptions({ ...options, checkpoint: true }, store, key),
      ...more,
    })
    await pipeline(createReadStream(path), stream)
    return stream.result
  }
  return {
    /** A process that goes on with an upload has not warmed up by beginning it. */
    prepare(job) {
      const script = `import { createClient } from ${JSON.stringify(import.meta.url)}
        const { begin, end } = await createClient(${JSON.stringify(options)})
        await begin(${JSON.stringify(job)})
        await end()`
      execFileSync(process.execPath, ['--input-type=module', '-e', script])
    },
    async begin(job) {
      const refuse = () => {
        throw new Error('not yet')
      }
      await upload(job, { beforeComplete: refuse }).catch((error) => {
        if (error.code !== 'PAWL_BEFORE_COMPLETE') throw error
      })
    },
    async run(job) {
      const { parts, partsReused } = await upload(job)
      if (parts !== partsReused) throw new Error('parts were sent again')
    },
    end: () => store.close(),
  }
}
