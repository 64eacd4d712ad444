/**
 * Which stored parts a source may be entered behind, unread.
 *
 * Skipping without reading is the one way to mix two revisions of a source, so
 * somebody has to vouch for it: the run that stored a part must have had the
 * same `sourceId`, or the caller says that he trusts the source.
 */
import type { PartRecord } from '../../checkpoint/record.js'
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
