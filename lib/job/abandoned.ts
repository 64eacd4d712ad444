/**
 * Unfinished uploads that nobody goes on with, found and aborted one by one, with
 * a word on each that is left alone.
 */
import type { ObjectStore } from '../store/object-store.js'
import {
  listUploads,
  requestsFor,
  type UnfinishedUpload,
} from '../upload/list-uploads.js'
import type { RetryOptions } from '../upload/options/options.js'

/** What became of an unfinished upload. */
export type Fate =
  | 'aborted'
  | 'would-abort'
  /** A part of it was stored not long ago. */
  | 'young'
  /** Its parts cannot be listed, so its age is not known. */
  | 'unknown-age'

export interface AbandonedOptions {
  prefix: string
  /** ms since the newest part was stored. */
  olderThan: number
  /** Nothing is aborted. */
  dryRun: boolean
  signal: AbortSignal
  retry: RetryOptions
}

export async function* abandonedUploads(
  store: ObjectStore,
  { prefix, olderThan, dryRun, signal, retry }: AbandonedOptions,
): AsyncGenerator<[UnfinishedUpload, Fate]> {
  const { requests, told } = requestsFor(store, { signal, retry })
  for await (const upload of listUploads(store, { prefix, signal, retry })) {
    const fate = fateOf(upload, olderThan)
    if (fate !== 'would-abort' || dryRun) {
      yield [upload, fate]
      continue
    }
    const { key, uploadId } = upload
    await requests
      .send({ what: 'Abort', uploadId }, (call) =>
        store.abortUpload({ key, uploadId }, call),
      )
      .catch((error: unknown) => Promise.reject(told(error)))
    yield [upload, 'aborted']
  }
}

/** As far as its age says. */
export function fateOf(
  { idle }: Pick<UnfinishedUpload, 'idle'>,
  olderThan: number,
): 'would-abort' | 'young' | 'unknown-age' {
  if (idle === undefined) return 'unknown-age'
  return idle > olderThan ? 'would-abort' : 'young'
}
