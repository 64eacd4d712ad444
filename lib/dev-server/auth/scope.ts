import { createHash, createHmac } from 'node:crypto'
import type { Signed } from './claim.js'

/** The words in which OSS V4 and AWS V4 differ. */
export interface ScopeWords {
  readonly algorithm: string
  readonly keyPrefix: string
  readonly terminator: string
}

export interface Scope {
  readonly accessKeyId: string
  /** `yyyymmdd` */
  readonly date: string
  readonly region: string
  readonly product: string
}

/** Reads `id/date/region/product/terminator`; undefined if it is not that. */
export function parseScope(
  credential: string,
  words: ScopeWords,
): Scope | undefined {
  const parts = credential.split('/')
  const [date, region, product, terminator] = parts.slice(-4)
  const accessKeyId = parts.slice(0, -4).join('/')
  return terminator !== words.terminator ||
    accessKeyId === '' ||
    region === undefined ||
    product === undefined ||
    date === undefined ||
    !/^\d{8}$/.test(date)
    ? undefined
    : { accessKeyId, date, region, product }
}

/** String to sign and signature of a canonical request (a binary string). */
export function signCanonical(
  words: ScopeWords,
  scope: Scope,
  time: string,
  canonicalRequest: string,
  secret: string,
): Signed {
  const { date, region, product } = scope
  const digest = createHash('sha256')
    .update(canonicalRequest, 'latin1')
    .digest('hex')
  const stringToSign = [
    words.algorithm,
    time,
    `${date}/${region}/${product}/${words.terminator}`,
    digest,
  ].join('\n')
  const dateKey = hmac(words.keyPrefix + secret, date)
  const key = hmac(hmac(hmac(dateKey, region), product), words.terminator)
  const signature = hmac(key, stringToSign).toString('hex')
  return { signature, stringToSign, canonicalRequest }
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest()
}

/** `Name=value` elements of an Authorization header, split at commas. */
export function authorizationFields(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const element of text.split(',')) {
    const equals = element.indexOf('=')
    if (equals > 0) {
      fields.set(element.slice(0, equals).trim(), element.slice(equals + 1))
    }
  }
  return fields
}
