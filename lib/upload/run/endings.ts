/** How an upload ends without its object, in words; and the signal that ends it. */
import type { EventEmitter } from 'node:events'
import { UploadError, type UploadErrorFields } from '../../errors.js'

export function suspended(fields: UploadErrorFields): UploadError {
  return new UploadError(
    'PAWL_SUSPENDED',
    fields.resumable === true
      ? 'the upload was suspended; the same call, made again, goes on from here'
      : 'the upload was stopped; without a checkpoint the same call, made again, starts over',
    fields,
  )
}

/** An error as callers see it: without a log there is nothing to go on from. */
export function told(error: Error, isResumable: boolean): Error {
  if (!isResumable && error instanceof UploadError && error.resumable) {
    Object.defineProperty(error, 'resumable', { value: false })
  }
  return error
}

export function discarded(fields: UploadErrorFields): UploadError {
  return new UploadError('PAWL_DISCARDED', 'the upload was discarded', fields)
}

/** For a `discard()` that came too late. */
export function alreadyComplete(key: string): UploadError {
  return new UploadError(
    'PAWL_INVALID_STATE',
    'the object is complete: there is no upload left to discard',
    { key, completed: true },
  )
}

/**
 * Calls `end` once when it is aborted; returns how to let go of it. For one that
 * was aborted before, a tick later: from Node 24 on `pipeline` refuses a stream
 * that is destroyed, and then nobody listens to its error, which is thrown.
 */
export function followSignal(
  signal: AbortSignal | undefined,
  end: (reason: unknown) => void,
): () => void {
  if (signal === undefined) return () => undefined
  const onAbort = (): void => end(signal.reason)
  if (signal.aborted) process.nextTick(onAbort)
  else signal.addEventListener('abort', onAbort, { once: true })
  return () => signal.removeEventListener('abort', onAbort)
}

/** For an end that the caller asked for by name; `result` says it too. */
export function beQuiet(stream: EventEmitter): void {
  // Once: it may be asked for again and again.
  stream.off('error', ignoreError).on('error', ignoreError)
}

function ignoreError(): void {
  // Without a listener the stream's error would end the process.
}
