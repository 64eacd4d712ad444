/**
 * One object by several machines: a ticket for whoever sends parts, receipts for
 * whoever completes. Bytes and milliseconds everywhere.
 *
 * @module pawl/shared
 */
export {
  beginUpload,
  type BeginUploadOptions,
  type BegunUpload,
  type DoneUpload,
} from './begin-upload.js'

export {
  completeUpload,
  type CompleteUploadOptions,
} from './complete-upload.js'

export {
  file,
  type PartsFile,
  type PartsSource,
  type RangeSource,
} from './parts-source.js'

export type { PartReceipt, Ticket } from './ticket.js'

export { uploadParts, type UploadPartsOptions } from './upload-parts.js'
