/** The rules for keys and buckets, checked before anything is sent. */
import { invalidOption } from '../errors.js'

/** What a store allows in a key. */
export interface KeyRules {
  /** In bytes of UTF-8. */
  maxBytes: number
  /** Refuse a key that begins with a slash of either kind, as OSS does. */
  noLeadingSlash: boolean
}

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
  if (bytes > rules.maxBytes) {
    invalidOption(
      `key: ${bytes} bytes long, the store allows ${rules.maxBytes} bytes of UTF-8.`,
    )
  }
  if (rules.noLeadingSlash && /^[/\\]/.test(key)) {
    invalidOption('key: must not begin with / or \\ on OSS.')
  }
}

/** Throws `PAWL_INVALID_OPTION` for a name that no bucket can have. */
export function checkBucket(bucket: string): void {
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
