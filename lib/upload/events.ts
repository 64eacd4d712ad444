/** What an upload says while it goes on. */
import type { UploadError } from '../errors.js'
import type { Progress } from './progress.js'
import type { RestartReason } from './resume-plan.js'

export interface InitiatedEvent {
  uploadId: string
}

export interface ResumedEvent {
  uploadId: string
  /** Bytes up to the end of the longest run of stored parts from part 1. */
  offset: number
  /** Stored parts, those beyond a hole included. */
  parts: number
}

export interface RestartedEvent {
  /** Why the upload in the log was not gone on with. */
  reason: RestartReason
}

export interface PartEvent {
  partNumber: number
  offset: number
  size: number
  etag: string
  /** It was stored before and proved equal: no request was made. */
  reused: boolean
  /** Requests made for it in this run. */
  attempts: number
}

export interface RetryEvent {
  /** Undefined for calls that are not about one part. */
  partNumber: number | undefined
  /** The number of the attempt that failed, from 1. */
  attempt: number
  /** ms until the next. */
  delay: number
  error: UploadError
}

/** Events by name. */
export interface UploadEvents {
  initiated: InitiatedEvent
  resumed: ResumedEvent
  restarted: RestartedEvent
  part: PartEvent
  retry: RetryEvent
  progress: Progress
}

export type Emit = <Name extends keyof UploadEvents>(
  name: Name,
  event: UploadEvents[Name],
) => void
