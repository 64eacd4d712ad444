/**
 * Which stored parts a source may be entered behind, unread.
 *
 * Skipping without reading is the one way to mix two revisions of a source, so
 * somebody has to vouch for it: the run that stored a part must have had the
 * same `sourceId`, or the caller says that he trusts the source.
 */
import type { PartRecord } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type { UploadSettings } from '../options/settings.js'

/** What `skipUploaded` may be told. */
export interface SkipOptions {
  /** The caller vouches for the source: it is what earlier runs read. */
  trustSource?: boolean
}

/** What of a run is asked here. */
export interface StoredParts {
  /** The longest run of stored parts from part 1. */
  readonly storedParts: readonly PartRecord[]
  /** The digest of the source that a run cut its parts from. */
  sourceOf(run: number): string | undefined
}

/** Stored parts up to the first one of another source; `nobody` vouches for any. */
export function vouchedParts(
  run: StoredParts,
  { sourceDigest }: Pick<UploadSettings, 'sourceDigest'>,
  trustSource: boolean,
): readonly PartRecord[] | 'nobody' {
  const stored = run.storedParts
  if (trustSource) return stored
  const other = stored.findIndex(
    (record) =>
      sourceDigest === undefined || run.sourceOf(record.run) !== sourceDigest,
  )
  if (other === 0) return 'nobody'
  return other < 0 ? stored : stored.slice(0, other)
}

/** Passes over them; the offset, in bytes, of what follows the last of them. */
export function skipStored(
  run: StoredParts & { skip(records: readonly PartRecord[]): void },
  settings: Pick<UploadSettings, 'sourceDigest'>,
  trustSource: boolean,
): number | 'nobody' {
  const records = vouchedParts(run, settings, trustSource)
  if (records === 'nobody') return 'nobody'
  run.skip(records)
  const last = records.at(-1)
  return last === undefined ? 0 : last.offset + last.size
}

export function sourceIdRequired(
  { sourceDigest, key }: UploadSettings,
  uploadId: string | undefined,
): UploadError {
  return new UploadError(
    'PAWL_SOURCE_ID_REQUIRED',
    sourceDigest === undefined
      ? 'skipping without reading needs a sourceId, in this call and in the one that stored the parts, or { trustSource: true }'
      : 'the sourceId is not the one of the run that stored the parts: write the source from its first byte, or pass { trustSource: true }',
    { key, uploadId, resumable: true },
  )
}

/** For a second call, or one after the first write. */
export function skipTooLate({ key }: UploadSettings): UploadError {
  return new UploadError(
    'PAWL_INVALID_STATE',
    'skipUploaded() is for once, before the first write',
    { key },
  )
}

/** What was written is not known to begin where the stored parts end. */
export function writtenTooEarly(
  { key, isResumable: resumable }: UploadSettings,
  uploadId: string | undefined,
): UploadError {
  return new UploadError(
    'PAWL_INVALID_STATE',
    'the stream was written to before skipUploaded() had resolved: await the offset, then write from there; nothing of it was sent',
    { key, uploadId, resumable },
  )
}
