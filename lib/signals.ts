/**
 * Work that a signal ends, and promises that their owner settles.
 *
 * Callers' signals are of whichever realm: many uploads may have one, and each upload
 * makes many calls. A signal has one listener of ours, whoever follows it, so that
 * Node sees no leak where there is none, and nothing of the signal is changed.
 */
type End = (reason: unknown) => void

interface Followers {
  readonly ends: Set<End>
  readonly listener: () => void
}

const followed = new WeakMap<AbortSignal, Followers>()

/**
 * Calls `end` once when it is aborted; returns how to let go of it. For one that
 * was aborted before, a tick later: from Node 24 on `pipeline` refuses a stream
 * that is destroyed, and then nobody listens to its error, which is thrown.
 */
export function followSignal(
  signal: AbortSignal | undefined,
  end: End,
): () => void {
  if (signal === undefined) return () => undefined
  if (signal.aborted) {
    process.nextTick(() => end(signal.reason))
    return () => undefined
  }
  // Of its own, so that one function may follow twice.
  const own: End = (reason) => end(reason)
  const followers = followed.get(signal) ?? follow(signal)
  followers.ends.add(own)
  return () => {
    followers.ends.delete(own)
    if (followers.ends.size > 0) return
    followed.delete(signal)
    signal.removeEventListener('abort', followers.listener)
  }
}

function follow(signal: AbortSignal): Followers {
  const ends = new Set<End>()
  const listener = (): void => {
    followed.delete(signal)
    for (const end of ends) end(signal.reason)
  }
  const followers = { ends, listener }
  followed.set(signal, followers)
  signal.addEventListener('abort', listener, { once: true })
  return followers
}

/**
 * A signal of this library's own that is aborted with a caller's; to be let go of
 * when nothing is done under it any more.
 */
export function ownSignal(signal: AbortSignal | undefined): {
  signal: AbortSignal
  letGo: () => void
} {
  const stop = new AbortController()
  if (signal?.aborted === true) stop.abort(signal.reason)
  const letGo = followSignal(signal, (reason) => stop.abort(reason))
  return { signal: stop.signal, letGo }
}

/** A promise that its owner settles. A rejection that nobody awaits is no accident. */
export class Deferred<T> {
  readonly promise: Promise<T>
  resolve: (value: T) => void = () => undefined
  reject: (error: Error) => void = () => undefined

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.promise.catch(() => undefined)
  }
}

/** Settles as `work` does; rejects with the reason as soon as `signal` is aborted. */
export function unlessAborted<T>(
  signal: AbortSignal,
  work: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const letGo = (): void => signal.removeEventListener('abort', onAbort)
    work.then(
      (value) => {
        letGo()
        resolve(value)
      },
      (error: unknown) => {
        letGo()
        reject(error)
      },
    )
  })
}
