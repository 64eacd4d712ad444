/**
 * A stopped upload goes on behind each compressor that this Node has, also when
 * the source is cut otherwise the second time.
 */
import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import t from 'tap'
import { createFixedChunkStream } from '../../lib/index.js'
import { noise, sha256 } from '../support/dev-store.js'
import {
  chunksOf,
  failureOf,
  key,
  part,
  smallUploads,
} from '../support/small-upload.js'

// zstd is in Node 22.15 and later, which the types here are older than.
const { createZstdCompress, zstdDecompressSync } = zlib as typeof zlib & {
  createZstdCompress?: () => Transform
  zstdDecompressSync?: (bytes: Buffer) => Buffer
}

interface Compressor {
  create: () => Transform
  undo: (bytes: Buffer) => Buffer
}

const compressors: Record<string, Compressor> = {
  gzip: { create: () => zlib.createGzip(), undo: zlib.gunzipSync },
  brotli: {
    create: () =>
      zlib.createBrotliCompress({
        params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 },
      }),
    undo: zlib.brotliDecompressSync,
  },
}
if (createZstdCompress && zstdDecompressSync) {
  compressors['zstd'] = { create: createZstdCompress, undo: zstdDecompressSync }
}

/** Halves of it can be compressed, so that there is something to decide. */
const bytes = Buffer.concat(
  Array.from({ length: 60 }, (_, i) =>
    Buffer.concat([noise(4000, i + 1), Buffer.alloc(4000, 'pawl ')]),
  ),
)

await t.test('zstd is among them where Node has it', async (t) => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const firstMinor = { 22: 15, 23: 8 }[major] ?? (major < 22 ? Infinity : 0)
  t.equal('zstd' in compressors, minor >= firstMinor)
})

for (const [name, { create, undo }] of Object.entries(compressors)) {
  await t.test(`behind ${name}, what is stored is reused`, async (t) => {
    const small = await smallUploads(t)
    const send = (upload: ReturnType<typeof small.upload>, chunk: number) =>
      pipeline(
        Readable.from(chunksOf(bytes, chunk)),
        createFixedChunkStream(16_384),
        create(),
        upload,
      )

    const first = small.upload({ concurrency: 2 })
    let told = 0
    first.on('part', () => {
      if (++told === 20) first.destroy()
    })
    await t.rejects(send(first, 1000), { code: 'PAWL_SUSPENDED' })
    t.match(await failureOf(first), { resumable: true, transient: true })

    const second = small.upload({ concurrency: 2 })
    await send(second, 7777)
    const { partsReused, parts, size } = await second.result
    t.ok(partsReused >= 20, `${partsReused} of ${parts} parts reused`)
    t.equal(parts, Math.ceil(size / part))
    const object = await small.object(key)
    t.equal(object.length, size)
    t.equal(sha256(undo(object)), sha256(bytes))
  })
}
