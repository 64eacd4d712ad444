/** How an upload ends without its object, in words. */
import { UploadError, type UploadErrorFields } from '../errors.js'

export function suspended(fields: UploadErrorFields): UploadError {
  return new UploadError(
    'PAWL_SUSPENDED',
    'the upload was suspended; the same call, made again, goes on from here',
    fields,
  )
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
