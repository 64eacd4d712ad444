/**
 * `createResumableUploadStream` behind `fs.createReadStream` or a compressor;
 * `uploads` of them at once share one store, each with its share of the bytes;
 * `times` one after the other.
 */
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createResumableUploadStream } from '../../dist/index.js'
import { compressor } from './compressor.js'
import { storeOf, uploadOptions } from './pawl.js'

export async function createClient(options) {
  const { chunk, compress, uploads = 1, times = 1 } = options
  const store = storeOf(options)
  async function upload(path, key, end) {
    const stages = [
      createReadStream(path, { highWaterMark: chunk, end }),
      ...(compress === undefined ? [] : [compressor(compress)]),
      createResumableUploadStream(uploadOptions(options, store, key)),
    ]
    await pipeline(stages)
    await stages.at(-1).result
  }
  return {
    async run({ path, size, key }) {
      const share = Math.ceil(size / uploads / times)
      for (let time = 0; time < times; time++) {
        await Promise.all(
          Array.from({ length: uploads }, (_, i) =>
            upload(path, `${key}-${time}-${i}`, share - 1),
          ),
        )
      }
    },
  }
}
