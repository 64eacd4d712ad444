/** A file of a job, and what becomes of it. */
import type { UploadResult } from '../upload-result.js'
import type { FileIdentity } from '../upload/source/file-source.js'

/** A file that is to be sent, as it was looked at. */
export interface JobFile {
  path: string
  key: string
  /** Bytes. */
  size: number
  identity: FileIdentity
  /** ms since 1970, when it was looked at. */
  time: number
}

/** Why a file is not sent, when nothing is wrong with it. */
export type Unneeded =
  /** An earlier run of the job has sent it. */
  | 'sent-before'
  /** The server has these bytes. */
  | 'same-there'

/** What a directory gives: a file, or a word on what is none. */
export type Found =
  | { file: JobFile }
  | { path: string; skipped: string }
  | { path: string; error: unknown }

/** Hears of every file, once, when its fate is known. */
export interface JobListener {
  sent(file: JobFile, result: UploadResult): void
  unneeded(file: JobFile, why: Unneeded): void
  skipped(path: string, why: string): void
  failed(path: string, error: unknown, file?: JobFile): void
}
