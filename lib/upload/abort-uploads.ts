/** Removing unfinished uploads that nobody goes on with. */
import type { ObjectStore } from '../store/object-store.js'
import {
  listUploads,
  type ListUploadsOptions,
  requestsFor,
  type UnfinishedUpload,
} from './list-uploads.js'
import { wholeNumber } from './options/settings.js'

/** Which uploads {@link abortUploads} aborts. */
export interface AbortUploadsOptions extends Omit<ListUploadsOptions, 'sizes'> {
  /**
   * ms. Uploads are aborted when nothing was stored of them for longer than
   * this, by the server's clock. Anything younger is never touched.
   */
  olderThan: number
}

/**
 * Aborts the unfinished uploads under a prefix that are older than `olderThan`,
 * measured from the newest part, and resolves to them. An upload whose parts
 * cannot be listed has no known age, and is left alone.
 *
 * Rejects with `PAWL_INVALID_OPTION`, and with the first refusal of the server;
 * what was aborted before it stays aborted.
 *
 * @example
 * const day = 24 * 60 * 60 * 1000
 * const gone = await abortUploads(store, { prefix: 'backups/', olderThan: 7 * day })
 */
export async function abortUploads(
  store: ObjectStore,
  { olderThan, ...options }: AbortUploadsOptions,
): Promise<UnfinishedUpload[]> {
  wholeNumber('olderThan', olderThan, 0)
  const requests = requestsFor(options)
  const aborted: UnfinishedUpload[] = []
  for await (const upload of listUploads(store, options)) {
    const { key, uploadId, idle } = upload
    if (idle === undefined || idle <= olderThan) continue
    await requests.send({ what: 'Abort', uploadId }, (call) =>
      store.abortUpload({ key, uploadId }, call),
    )
    aborted.push(upload)
  }
  return aborted
}
