/** What an upload says while it goes on. */
import type { Readable } from 'node:stream'
import type { GrowthStep } from '../../checkpoint/growth.js'
import type { UploadError } from '../../errors.js'
import type { Progress } from './progress.js'

/** An upload has begun on the server. */
export interface InitiatedEvent {
  /** The server's name for it. */
  uploadId: string
}

/** An earlier run's upload is gone on with. */
export interface ResumedEvent {
  /** The server's name for it. */
  uploadId: string
  /** Bytes up to the end of the longest run of stored parts from part 1. */
  offset: number
  /** Stored parts, those beyond a hole included. */
  parts: number
  /** Bytes of every part but the last, before `growth`: the log's. */
  partSize: number
  /** Where its parts become larger; absent: nowhere. */
  growth?: readonly GrowthStep[]
  /** What this call asked for, where that is another size. */
  partSizeAsked?: number
  /** The store orders by Initiate, and an object that is newer is under the key. */
  newerObject?: true
}

/** The upload in the log was given up, and a new one begins. */
export interface RestartedEvent {
  /** Why the upload in the log was not gone on with. */
  reason: RestartReason
}

/** An upload that is no longer used is left on the server: it costs money there. */
export interface LeftEvent {
  /** The server's name for it. */
  uploadId: string
  /** What the last Abort was refused with. */
  error: UploadError
}

/** The object gets no mark, by which its upload would know it again. */
export interface UnmarkedEvent {
  /**
   * The object's own metadata leaves no room for it, or the server has refused an
   * upload with metadata.
   */
  reason: 'no-room' | 'refused'
}

/**
 * Half of the parts that an upload can have are taken, and nobody has said how
 * long the source is; once a run.
 */
export interface LimitEvent {
  /** Bytes that there is room for yet; what comes behind them ends the upload. */
  bytesLeft: number
  /** Bytes of the largest object that this upload can become. */
  bytesMost: number
}

/** A part is stored and confirmed; once a part. */
export interface PartEvent {
  /** From 1. */
  partNumber: number
  /** Bytes from the start of the object. */
  offset: number
  /** Bytes. */
  size: number
  /** As the server spelled it. */
  etag: string
  /** It was stored before and proved equal: no request was made. */
  reused: boolean
  /** Requests made for it in this run. */
  attempts: number
}

/** An attempt failed, and another follows. */
export interface RetryEvent {
  /** Undefined for calls that are not about one part. */
  partNumber: number | undefined
  /** The number of the attempt that failed, from 1. */
  attempt: number
  /** ms until the next; longer while a store is away and another call asks on. */
  delay: number
  /** ms in which requests have failed and nothing of the upload was stored. */
  failingFor: number
  /** What the attempt failed with. */
  error: UploadError
}

/** Events by name, with what their listeners get. */
export interface UploadEvents {
  /** An upload has begun on the server. */
  initiated: InitiatedEvent
  /** An earlier run's upload is gone on with. */
  resumed: ResumedEvent
  /** The upload in the log was given up, and a new one begins. */
  restarted: RestartedEvent
  /** An upload that is no longer used is left on the server. */
  left: LeftEvent
  /** Half of the parts are taken of an upload whose size nobody knows. */
  limit: LimitEvent
  /** The object gets no mark, though one was wanted; once an object. */
  unmarked: UnmarkedEvent
  /** A part is stored and confirmed; once a part. */
  part: PartEvent
  /** An attempt failed, and another follows. */
  retry: RetryEvent
  /** Counters: at most every 100 ms, and once at the end. */
  progress: Progress
}

/** What the listeners of a stream get: its own events, and those of every Writable. */
export type StreamEvents = {
  [Name in keyof UploadEvents]: [detail: UploadEvents[Name]]
} & {
  /** It has ended, and nothing of it is left. */
  close: []
  /** More may be written. */
  drain: []
  /** It has ended without an object. */
  error: [error: Error]
  /** The object is complete. */
  finish: []
  /** A stream is piped into it. */
  pipe: [source: Readable]
  /** A stream is piped into it no more. */
  unpipe: [source: Readable]
}

export type Emit = <Name extends keyof UploadEvents>(
  name: Name,
  event: UploadEvents[Name],
) => void

/**
 * Why a log's upload is not gone on with: `object` or `sequential` is another; its
 * parts would not fit the source any more, or are to be of one size; it is gone from
 * the server; the source is another where nothing can be sent again; the log has
 * lost what says where it belongs.
 */
export type RestartReason =
  | 'options-changed'
  | 'part-size'
  | 'equal-parts'
  | 'upload-gone'
  | 'source-changed'
  | 'log-damaged'
