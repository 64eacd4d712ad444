/** What the server says of an object, tried again as any other call. */
import type { ObjectHead, ObjectStore } from '../store/object-store.js'
import { UploadError } from '../errors.js'
import { requestsFor, type ListUploadsOptions } from '../upload/list-uploads.js'

/** Undefined when there is none, and when this caller may not look. */
export async function headOf(
  store: ObjectStore,
  key: string,
  how: Pick<
    ListUploadsOptions,
    'retry' | 'timeout' | 'requestPayer' | 'signal'
  >,
): Promise<ObjectHead | undefined> {
  try {
    const { answer } = await requestsFor(how).send(
      { what: 'HeadObject' },
      (call) => store.headObject(key, call),
    )
    return answer
  } catch (error) {
    const isRefused =
      error instanceof UploadError &&
      error.code === 'PAWL_ACCESS_DENIED' &&
      error.serverCode !== 'SignatureDoesNotMatch'
    if (isRefused) return undefined
    throw error
  }
}
