import { Readable } from 'node:stream'
import { brotliDecompressSync } from 'node:zlib'
import * as zlib from 'node:zlib'
import t from 'tap'
import { noise } from '../support/dev-store.js'
import { exampleRunner, key, part } from '../support/example-runner.js'
import { chunksOf } from '../support/small-upload.js'

const { uploadCompressed } = await import('../../docs/examples/compress.js')

/** Brotli holds back up to a megabyte of it. */
const bytes = noise(30 * part)
const broken = new Error('the source broke')

/** The bytes in chunks of a size; `breaks` ends them at a place, when it is time. */
function source(
  chunk: number,
  breaks?: { at: number; when: () => Promise<void> },
): Readable {
  return Readable.from(
    (async function* () {
      yield* chunksOf(bytes.subarray(0, breaks?.at), chunk)
      if (breaks === undefined) return
      await breaks.when()
      throw broken
    })(),
  )
}

const formats = [
  { format: 'br', decompress: brotliDecompressSync },
  { format: 'zstd', decompress: zlib.zstdDecompressSync },
] as const

for (const { format, decompress } of formats) {
  await t.test(
    `${format} repeats itself, however the source is cut`,
    async (t) => {
      const run = await exampleRunner(t)
      if (decompress === undefined) {
        const refused = uploadCompressed(source(1000), format, run.options())
        await t.rejects(refused, { message: /zstd needs Node 22\.15/ })
        t.same(run.server.requests, [])
        return
      }
      const breaks = { at: 25 * part, when: () => run.logHas(2) }
      const first = source(1000, breaks)
      await t.rejects(uploadCompressed(first, format, run.options()), broken)
      const stored = await run.storedParts()
      const since = run.server.requests.length
      const second = source(4321)
      const result = await uploadCompressed(second, format, run.options())
      t.ok(result.partsReused >= stored)
      t.notOk(
        run.sentSince(since).some((number) => number <= stored),
        'nothing that is stored is sent again',
      )
      t.ok(decompress(await run.object(key)).equals(bytes))
    },
  )
}
