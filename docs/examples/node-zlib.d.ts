/** Node has zstd from 22.15 on; the types of Node 20 do not know it. */
import type { Transform } from 'node:stream'

declare module 'node:zlib' {
  const createZstdCompress: (() => Transform) | undefined
  const zstdDecompressSync: ((bytes: Uint8Array) => Buffer) | undefined
}
