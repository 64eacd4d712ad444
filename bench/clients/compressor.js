import * as zlib from 'node:zlib'

/** `gzip` or `zstd`; the latter from Node 22.15 on. */
export function compressor(name) {
  return name === 'gzip' ? zlib.createGzip() : zlib.createZstdCompress()
}

export const hasZstd = typeof zlib.createZstdCompress === 'function'
