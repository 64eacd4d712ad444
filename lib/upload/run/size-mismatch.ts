import { UploadError } from '../../errors.js'

/** `found` bytes so far, or in all; never as many as the caller had said. */
export function sizeMismatch(
  expected: number,
  found: number,
  key: string,
): UploadError {
  const least = found > expected ? 'at least ' : ''
  return new UploadError(
    'PAWL_SIZE_MISMATCH',
    `the source gave ${least}${found} bytes, expected ${expected} (the option size); nothing was completed`,
    { key, resumable: true },
  )
}
