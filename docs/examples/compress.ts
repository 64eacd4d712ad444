import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import {
  createFixedChunkStream,
  createResumableUploadStream,
  type UploadResult,
  type UploadStreamOptions,
} from 'pawl'

/** A source, compressed so that a rerun makes the same bytes. */
export async function uploadCompressed(
  source: Readable,
  format: 'br' | 'zstd',
  options: UploadStreamOptions,
): Promise<UploadResult> {
  const compressor =
    format === 'br'
      ? zlib.createBrotliCompress({
          params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 },
        })
      : zstdCompressor()
  const upload = createResumableUploadStream(options)
  await pipeline(source, createFixedChunkStream(64 * 1024), compressor, upload)
  return upload.result
}

function zstdCompressor() {
  if (zlib.createZstdCompress !== undefined) return zlib.createZstdCompress()
  throw new Error(`zstd needs Node 22.15, this is ${process.version}`)
}
