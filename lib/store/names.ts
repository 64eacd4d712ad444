/** The rules for keys and buckets, checked before anything is sent. */
import { invalidOption } from '../errors.js'
import type { StoreLimits } from './object-store.js'

/** What a store allows in a key. */
export type KeyRules = Pick<StoreLimits, 'maxKeyBytes' | 'noLeadingSlash'>

/**
 * Throws `PAWL_INVALID_OPTION` for a key that the store would refuse. Control
 * characters, `..` and `//` are legal; they are encoded on the wire.
 */
export function checkKey(key: string, rules: KeyRules): void {
  if (typeof key !== 'string' || key === '') {
    invalidOption('key: expected a string of at least one character.')
  }
  if (!key.isWellFormed()) {
    invalidOption('key: half a surrogate pair cannot be sent.')
  }
  const bytes = Buffer.byteLength(key)
  if (bytes > rules.maxKeyBytes) {
    invalidOption(
      `key: ${bytes} bytes long, the store allows ${rules.maxKeyBytes} bytes of UTF-8.`,
    )
  }
  if (rules.noLeadingSlash === true && /^[/\\]/.test(key)) {
    invalidOption('key: must not begin with / or \\ in this store.')
  }
}

/**
 * Throws `PAWL_INVALID_OPTION` for what cannot be the name of a place: it is kept
 * in logs and shown to people. Undefined where none is given.
 */
export function checkIdentity(identity: unknown): string | undefined {
  if (identity === undefined) return undefined
  if (
    typeof identity !== 'string' ||
    !identity.isWellFormed() ||
    !/^[^\p{C}]+$/u.test(identity) ||
    Buffer.byteLength(identity) > 1024
  ) {
    return invalidOption(
      'identity: expected 1 to 1024 bytes of text that can be printed.',
    )
  }
  return identity
}

/**
 * Throws `PAWL_INVALID_OPTION` for a name that no bucket can have, and for what
 * stands for a bucket elsewhere, with what does here.
 */
export function checkBucket(bucket: string): void {
  if (typeof bucket === 'string' && /^(arn|acs):/.test(bucket)) {
    invalidOption(
      'bucket: an ARN is not spoken; give the alias of the access point, which ends in -s3alias or -ossalias.',
    )
  }
  if (
    typeof bucket !== 'string' ||
    !/^[a-zA-Z0-9][a-zA-Z0-9._-]{1,61}[a-zA-Z0-9]$/.test(bucket) ||
    bucket.includes('..')
  ) {
    invalidOption(
      'bucket: expected 3 to 63 letters, digits, hyphens, dots or underscores.',
    )
  }
}
