/** xxHash64, loaded once a process; afterwards all work is synchronous. */
import xxhash from 'xxhash-wasm'

export interface Xxh64Stream {
  update(bytes: Uint8Array): void
  digest(): bigint
}

export interface Xxh64 {
  /** Of a text's UTF-8, as sixteen lower-case hex digits. */
  hexOf(text: string): string
  create(): Xxh64Stream
}

/**
 * Bytes hashed at once. They are copied into the memory of the hash, which grows
 * with the longest copy and should stay in the processor's cache.
 */
const blockSize = 128 * 1024

let loading: Promise<Xxh64> | undefined

export function loadXxh64(): Promise<Xxh64> {
  loading ??= instantiate().catch((error: unknown) => {
    // It failed for want of memory, which there may be at the next call.
    loading = undefined
    throw error
  })
  return loading
}

async function instantiate(): Promise<Xxh64> {
  const api = await xxhash()
  return {
    hexOf: (text: string) => api.h64ToString(text),
    create() {
      const hash = api.create64()
      return {
        update(bytes: Uint8Array) {
          if (bytes.byteLength <= blockSize) return void hash.update(bytes)
          for (let at = 0; at < bytes.byteLength; at += blockSize) {
            hash.update(bytes.subarray(at, at + blockSize))
          }
        },
        digest: () => hash.digest(),
      }
    },
  }
}

/** Sixteen lower-case hex digits. */
export function hex64(value: bigint): string {
  return value.toString(16).padStart(16, '0')
}
