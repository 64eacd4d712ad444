/** What the stages of one run share. */
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import type { Requests } from '../calls/requests.js'
import type { PartSender } from '../calls/send.js'
import type { Emit } from '../options/events.js'
import type { ProgressCounter } from '../options/progress.js'
import type { UploadSettings } from '../options/settings.js'
import type { UploadLog } from './log.js'
import type { UploadScope } from './trace.js'
import type { FileSight } from '../source/file-identity.js'

export interface RunContext {
  readonly settings: UploadSettings
  readonly log: UploadLog
  readonly requests: Requests
  readonly sender: PartSender
  readonly progress: ProgressCounter
  readonly emit: Emit
  /** While somebody watches the upload. */
  readonly scope: UploadScope | undefined
  /** Aborted when the run is suspended. */
  readonly signal: AbortSignal
  /** Aborted later: a Complete that was sent is waited for, within a bound. */
  readonly completeSignal: AbortSignal
  /** The run is to end without taking the log away. */
  readonly isSuspending: () => boolean
  /** Rejects when the source is not what the parts were read from. */
  readonly checkSource: () => Promise<void>
}

/** What of a result the counters know. */
export interface Reuse {
  parts: number
  bytes: number
  resumed: boolean
}

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
