/** Listeners that are given as functions, where there is no stream to listen to. */
import type { Emit, UploadEvents } from './events.js'
import type { ListenerOptions } from './options.js'
import { aFunction, optional } from './settings.js'

/** Every event that a listener can hear of. */
export const eventNames: readonly (keyof UploadEvents)[] = [
  'initiated',
  'left',
  'part',
  'progress',
  'restarted',
  'resumed',
  'retry',
  'unmarked',
]

/** Throws `PAWL_INVALID_OPTION` for what is no function. */
export function readListeners({ onProgress, on = {} }: ListenerOptions): Emit {
  optional(onProgress, (value) => aFunction('onProgress', value))
  for (const [name, listener] of Object.entries(on)) {
    if (listener !== undefined) aFunction(`on.${name}`, listener)
  }
  return (name, event) => {
    const listeners: Partial<Record<string, (event: never) => void>> = {
      ...on,
      progress: onProgress,
    }
    // Name and event belong together; the type of the table forgets it.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    listeners[name]?.(event as never)
  }
}
