/** What becomes of an upload, told to whoever looks on. */
import type { UploadEvents, UploadFileOptions, UploadResult } from '../index.js'

export type UploadEventName = keyof UploadEvents

export interface Reporter {
  /** An upload begins; `name` is the source as the caller named it. */
  begin(name: string, url: string): UploadReporter
  /** A file that was named and is not uploaded. */
  skipped(name: string, why: string): void
  /** Nothing more of it is told; for a failure, which has its own words. */
  end(): void
}

/** Of one upload. */
export interface UploadReporter {
  event<Name extends UploadEventName>(
    name: Name,
    event: UploadEvents[Name],
  ): void
  /** The object is complete. */
  done(result: UploadResult): void
}

/** Events of an upload that there are besides `progress`. */
export const uploadEvents = [
  'initiated',
  'resumed',
  'restarted',
  'left',
  'limit',
  'unmarked',
  'part',
  'retry',
] as const

/** What an upload of a file calls to tell them all. */
export function listenersOf(
  upload: UploadReporter,
): Pick<UploadFileOptions, 'on' | 'onProgress'> {
  return {
    onProgress: (progress) => upload.event('progress', progress),
    on: Object.fromEntries(
      uploadEvents.map((name) => [
        name,
        (event: UploadEvents[typeof name]) => upload.event(name, event),
      ]),
    ),
  }
}

/** Where lines go. */
export interface Output {
  /** `done` gets an error when nobody reads any more. */
  write(text: string, done?: (error?: Error | null) => void): unknown
}
