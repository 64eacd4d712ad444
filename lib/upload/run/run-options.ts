/** What a run is made with. */
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import type { Emit } from '../options/events.js'
import type { FileSight } from '../source/file-identity.js'
import type { ProgressCounter } from '../options/progress.js'
import type { UploadSettings } from '../options/settings.js'
import type { UploadScope } from './trace.js'

export interface UploadRunOptions {
  settings: UploadSettings
  checkpoint: Checkpoint
  emit: Emit
  progress: ProgressCounter
  /** While somebody watches the upload. */
  scope: UploadScope | undefined
  /** The source is a file: how it was when it was opened. */
  file?: FileSight | undefined
  /** Rejects when the source is not what was read. Asked before the object is made. */
  checkSource?: () => Promise<void>
  /** Hears of the first failure, once. */
  onFailure(error: Error): void
}
