/** What the calls of a store take, with bounds that tests can live with. */
import type { Body, Call } from '../../lib/store/object-store.js'

export function storeCall(overrides: Partial<Call> = {}): Call {
  return {
    signal: new AbortController().signal,
    timeouts: { connect: 5000, stall: 5000, headers: 5000 },
    ...overrides,
  }
}

/** A body of `bytes` in views of `viewSize`. */
export function bodyFrom(bytes: Uint8Array, viewSize = 512 * 1024): Body {
  return async function* () {
    for (let at = 0; at < bytes.length; at += viewSize) {
      yield bytes.subarray(at, at + viewSize)
    }
  }
}
