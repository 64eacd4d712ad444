import { UploadError } from '../../errors.js'
import { answerOf, type StoreError } from '../../store/store-error.js'
import type { UploadResult } from '../options/result.js'

/**
 * The object is complete, but the callback that OSS was to make failed
 * (`PAWL_CALLBACK_FAILED`). `result` is what the upload would have resolved to.
 * It is not repeated: the object exists, and the log is gone.
 */
export class CallbackError extends UploadError {
  /** The class's name. */
  override readonly name = 'CallbackError'
  /** What the upload would have resolved to. */
  readonly result: UploadResult

  /** Made by uploads with `object.callback`. */
  constructor(result: UploadResult, cause: StoreError) {
    super(
      'PAWL_CALLBACK_FAILED',
      `the object is complete, but its callback failed: ${cause.message}`,
      {
        ...answerOf(cause),
        key: result.key,
        uploadId: result.uploadId,
        completed: true,
      },
    )
    this.result = result
  }
}
