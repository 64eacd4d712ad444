/** What the server says of an object, tried again as any other call. */
import type {
  ObjectHead,
  ObjectOptions,
  ObjectStore,
} from '../store/object-store.js'
import { UploadError } from '../errors.js'
import { requestsFor, type ListUploadsOptions } from '../upload/list-uploads.js'

/**
 * Undefined when there is none, and when this caller may not look. `object`: what
 * it was uploaded with, as a key of one's own is needed to look as well.
 */
export async function headOf(
  store: ObjectStore,
  key: string,
  {
    object,
    ...how
  }: Pick<
    ListUploadsOptions,
    'retry' | 'timeout' | 'requestPayer' | 'signal'
  > & { object?: ObjectOptions | undefined },
): Promise<ObjectHead | undefined> {
  const { requests, told } = requestsFor(store, how)
  try {
    const { answer } = await requests.send({ what: 'HeadObject' }, (call) =>
      store.headObject(key, { ...call, object }),
    )
    return answer
  } catch (error) {
    const isRefused =
      error instanceof UploadError &&
      error.code === 'PAWL_ACCESS_DENIED' &&
      error.serverCode !== 'SignatureDoesNotMatch'
    if (isRefused) return undefined
    throw told(error)
  }
}
