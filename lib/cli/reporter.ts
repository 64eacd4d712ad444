/** What becomes of an upload, told to whoever looks on. */
import type { UploadEvents, UploadResult } from '../index.js'

export type UploadEventName = keyof UploadEvents

export interface Reporter {
  /** An upload begins; `name` is the source as the caller named it. */
  begin(name: string, url: string): void
  event<Name extends UploadEventName>(
    name: Name,
    event: UploadEvents[Name],
  ): void
  /** Its object is complete. */
  done(result: UploadResult, url: string): void
  /** Nothing more of it is told; for a failure, which has its own words. */
  end(): void
}

/** Where lines go. */
export interface Output {
  write(text: string): unknown
}
