/** Listeners that are given as functions, where there is no stream to listen to. */
import type { Emit, UploadEvents } from './events.js'
import type { ListenerOptions } from './options.js'
import { aFunction, optional } from './settings.js'

/** Every event that a listener can hear of: one that is missing does not compile. */
const events: Record<keyof UploadEvents, true> = {
  initiated: true,
  left: true,
  limit: true,
  part: true,
  progress: true,
  restarted: true,
  resumed: true,
  retry: true,
  unmarked: true,
}

export const eventNames = Object.keys(events).filter(isEvent)

/** Throws `PAWL_INVALID_OPTION` for what is no function. */
export function readListeners({ onProgress, on = {} }: ListenerOptions): Emit {
  optional(onProgress, (value) => aFunction('onProgress', value))
  for (const [name, listener] of Object.entries(on)) {
    if (listener !== undefined) aFunction(`on.${name}`, listener)
  }
  const listeners: Partial<Record<string, (event: never) => void>> = {
    ...on,
    progress: onProgress,
  }
  return (name, event) => {
    // Name and event belong together; the type of the table forgets it.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    listeners[name]?.(event as never)
  }
}

function isEvent(name: string): name is keyof UploadEvents {
  return Object.hasOwn(events, name)
}
