/** Parts that an upload cannot take, in words. */
import { UploadError } from '../../errors.js'
import type { Piece } from '../source/part-content.js'

export function partChanged(
  { partNumber, offset, size }: Piece,
  fields: { key: string; uploadId: string | undefined },
): UploadError {
  return new UploadError(
    'PAWL_SOURCE_CHANGED',
    `part ${partNumber} (bytes ${offset} to ${offset + size - 1}) is not what an earlier run stored, and onSourceChange is 'fail'`,
    { ...fields, partNumber, offset, resumable: true },
  )
}

/** `last`: the short part behind which the source turned out to go on. */
export function sourceGrew(
  last: number,
  fields: { key: string; uploadId: string | undefined; offset: number },
): UploadError {
  return new UploadError(
    'PAWL_SOURCE_CHANGED',
    `the source goes on behind byte ${fields.offset}, where an earlier run's ended within part ${last}; that part counts no more: run the same call again, and it is sent anew`,
    { ...fields, partNumber: last, resumable: true },
  )
}

/** For a sequential upload. */
export function partTaken(
  { partNumber, offset, size }: Piece,
  fields: { key: string; uploadId: string; cause: UploadError },
): UploadError {
  return new UploadError(
    'PAWL_SOURCE_CHANGED',
    `part ${partNumber} (bytes ${offset} to ${offset + size - 1}) is not what is stored of it, and a sequential upload takes no part twice; run the same call again to upload everything anew`,
    { ...fields, partNumber, offset, resumable: true },
  )
}

export function tooManyParts(
  { partNumber, offset }: Piece,
  {
    key,
    maxParts,
    partSize,
  }: { key: string; maxParts: number; partSize: number },
): UploadError {
  return new UploadError(
    'PAWL_TOO_MANY_PARTS',
    `the source is longer than ${maxParts} parts of ${partSize} bytes; run it again with a larger partSize, or with its size`,
    { key, partNumber, offset, resumable: true },
  )
}

export function claimBroken(key: string): UploadError {
  return new UploadError(
    'PAWL_SOURCE_CHANGED',
    'an earlier run completed the object, and the source is no longer its bytes; run the same call again to upload the source as it is now',
    { key, resumable: true },
  )
}
