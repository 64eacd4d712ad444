/** What `onSourceChange: 'fail'` asks for: a part is what was stored of it. */
import type { PartRecord } from '../../checkpoint/record.js'
import { partChanged } from './errors.js'
import { isOtherBytes, type Candidate } from '../rules/plan.js'
import type { UploadSettings } from '../options/settings.js'

/** Whether the record of an earlier run says that the source has changed. */
export function hasChanged(
  record: PartRecord | undefined,
  candidate: Candidate,
): record is PartRecord {
  if (record === undefined) return false
  return record.size !== candidate.size || isOtherBytes(record, candidate)
}

/** Throws `PAWL_SOURCE_CHANGED` for a part that must not differ, and does. */
export function mustBeAsStored(
  { onSourceChange, key }: Pick<UploadSettings, 'onSourceChange' | 'key'>,
  record: PartRecord | undefined,
  candidate: Candidate,
  uploadId: string | undefined,
): void {
  if (onSourceChange !== 'fail' || !hasChanged(record, candidate)) return
  const { number: partNumber, offset, size } = record
  throw partChanged({ partNumber, offset, size }, { key, uploadId })
}
