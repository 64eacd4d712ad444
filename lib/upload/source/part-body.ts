/** The bytes of a part as request bodies, made afresh for each attempt. */
import type { Body } from '../../store/object-store.js'
import type { ViewPace } from './view-pace.js'

/** `onSent` hears of each view when the next one is asked for. */
export function bodyOf(
  data: Uint8Array,
  pace: ViewPace,
  onSent: (bytes: number) => void,
): Body {
  return async function* views() {
    for (let start = 0; start < data.byteLength;) {
      const view = data.subarray(start, start + pace.size)
      const sent = pace.start(view.byteLength)
      yield view
      sent()
      onSent(view.byteLength)
      start += view.byteLength
    }
  }
}
