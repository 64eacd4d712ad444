/** One algorithm of hash-wasm by itself: a thirtieth of the whole package in memory. */
declare module 'hash-wasm/dist/crc64.umd.min.js' {
  import type { createCRC64 } from 'hash-wasm'

  const crc64: { readonly createCRC64: typeof createCRC64 }
  export default crc64
}
