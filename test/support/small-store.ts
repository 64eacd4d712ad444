/** A store whose limits are small, so that tests need few bytes for many parts. */
import { aroundCalls, type Around } from '../../lib/store/around-calls.js'
import type { ObjectStore, StoreLimits } from '../../lib/store/object-store.js'

export type { Around, StoreCallName } from '../../lib/store/around-calls.js'

const passing: Around = (_name, send) => send()

/** The same store with other limits, and with something around each call. */
export function wrapStore(
  store: ObjectStore,
  {
    limits = {},
    around = passing,
  }: { limits?: Partial<StoreLimits>; around?: Around } = {},
): ObjectStore {
  const wrapped = aroundCalls(store, around)
  return Object.defineProperty(wrapped, 'limits', {
    value: { ...store.limits, ...limits },
  })
}

/** The same store for parts of one byte and more. */
export function smallStore(
  store: ObjectStore,
  limits: Partial<StoreLimits> = {},
): ObjectStore {
  return wrapStore(store, { limits: { minPartSize: 1, ...limits } })
}
