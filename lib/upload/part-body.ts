/**
 * The bytes of a part as request bodies: views of 512 KiB, made afresh for each
 * attempt. One whole buffer would cost the same, but hide stalls, make progress
 * jump, and have TLS hold a second copy of the part.
 */
import type { Body } from '../store/object-store.js'

const viewSize = 512 * 1024

/** `onSent` hears of each view when the next one is asked for. */
export function bodyOf(
  data: Uint8Array,
  onSent: (bytes: number) => void,
): Body {
  return async function* views() {
    for (let start = 0; start < data.byteLength; start += viewSize) {
      const view = data.subarray(start, start + viewSize)
      yield view
      onSent(view.byteLength)
    }
  }
}
