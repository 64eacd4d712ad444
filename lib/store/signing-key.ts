/**
 * The key of version 4 signatures, of OSS and of S3: a chain of HMACs that is
 * the same for a day, and is worked out once for it.
 */
import { createHmac } from 'node:crypto'
import type { Credentials } from './credentials.js'

interface DatedKey {
  scope: string
  key: Buffer
}

const latest = new WeakMap<Credentials, DatedKey>()

/** `steps`: what the key is good for, the date first; the last one is fixed. */
export function signingKey(
  credentials: Credentials,
  prefix: 'aliyun_v4' | 'AWS4',
  steps: readonly string[],
): Buffer {
  const scope = `${prefix} ${steps.join('/')}`
  const known = latest.get(credentials)
  if (known?.scope === scope) return known.key
  const secret = Buffer.from(`${prefix}${credentials.secret}`)
  const key = steps.reduce(hmac, secret)
  latest.set(credentials, { scope, key })
  return key
}

/** In hex. */
export function signatureOf(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
