import {
  createResumableUploadStream,
  UploadError,
  type UploadStreamOptions,
} from 'pawl'

/** Removes what runs of the same call have stored; false when it is an object already. */
export async function giveUp(options: UploadStreamOptions): Promise<boolean> {
  try {
    await createResumableUploadStream(options).discard()
    return true
  } catch (error) {
    if (error instanceof UploadError && error.completed === true) return false
    throw error
  }
}
