/** OSS signature version 4: pure functions of the request and the time. */
import { sha256 } from '../../hash/sha256.js'
import { compactTime } from '../clock.js'
import type { Credentials } from '../credentials.js'
import { encodeQuery, percentEncodeKey, type Query } from '../percent-encode.js'
import { hmac, signingKey } from '../signing-key.js'

const algorithm = 'OSS4-HMAC-SHA256'
const payload = 'UNSIGNED-PAYLOAD'

export interface V4Input {
  method: string
  /** Absent for the service. */
  bucket?: string | undefined
  /** Not encoded; absent for the bucket. */
  key?: string | undefined
  query: Query
  /** As they will be sent, in any case. */
  headers: Readonly<Record<string, string>>
  credentials: Credentials
  region: string
  /** `oss`, or `oss-cloudbox`. */
  product?: string | undefined
  /** Further headers to sign; those absent or signed anyway are dropped. */
  additionalHeaders?: readonly string[] | undefined
  time: Date
}

export interface V4Signature {
  canonicalRequest: string
  scope: string
  stringToSign: string
  signature: string
  /** Effective, lower case, sorted. */
  additionalHeaders: string[]
}

/** The headers to add to the request, `authorization` among them. */
export function signV4(
  input: V4Input,
): V4Signature & { headers: Record<string, string> } {
  const added: Record<string, string> = {
    'x-oss-date': compactTime(input.time),
    'x-oss-content-sha256': payload,
  }
  if (input.credentials.token !== undefined) {
    added['x-oss-security-token'] = input.credentials.token
  }
  const headers = lowerCased(input.headers, added)
  const additional = additionalOf(input, headers)
  const signed = sign(input, headers, additional)
  const list =
    additional.length === 0 ? '' : `AdditionalHeaders=${additional.join(';')},`
  added['authorization'] =
    `${algorithm} Credential=${input.credentials.id}/${signed.scope},${list}Signature=${signed.signature}`
  return { headers: added, ...signed }
}

/** `/bucket/key`, `/bucket/` or `/`, encoded; the same for every URL style. */
export function canonicalUri(bucket?: string, key?: string): string {
  if (bucket === undefined) return '/'
  return percentEncodeKey(`/${bucket}/${key ?? ''}`)
}

function sign(
  input: V4Input,
  headers: Record<string, string>,
  additionalHeaders: string[],
): V4Signature {
  const canonicalHeaders = Object.keys(headers)
    .filter((name) => signedByDefault(name) || additionalHeaders.includes(name))
    .toSorted()
    .map((name) => `${name}:${headers[name]?.trim() ?? ''}\n`)
    .join('')
  const canonicalRequest = [
    input.method,
    canonicalUri(input.bucket, input.key),
    encodeQuery(input.query, ''),
    canonicalHeaders,
    additionalHeaders.join(';'),
    payload,
  ].join('\n')
  const scope = scopeOf(input)
  const stringToSign = [
    algorithm,
    compactTime(input.time),
    scope,
    sha256(canonicalRequest),
  ].join('\n')
  const signature = hmac(keyFor(input), stringToSign).toString('hex')
  return { canonicalRequest, scope, stringToSign, signature, additionalHeaders }
}

function keyFor(input: V4Input): Buffer {
  return signingKey(input.credentials, 'aliyun_v4', scopeSteps(input))
}

function scopeOf(input: V4Input): string {
  return scopeSteps(input).join('/')
}

function scopeSteps({ time, region, product = 'oss' }: V4Input): string[] {
  const date = compactTime(time).slice(0, 8)
  return [date, region, product, 'aliyun_v4_request']
}

function additionalOf(
  { additionalHeaders = [] }: V4Input,
  headers: Record<string, string>,
): string[] {
  const names = additionalHeaders.map((name) => name.toLowerCase())
  return [...new Set(names)]
    .filter((name) => Object.hasOwn(headers, name) && !signedByDefault(name))
    .toSorted()
}

function signedByDefault(name: string): boolean {
  return (
    name.startsWith('x-oss-') ||
    name === 'content-type' ||
    name === 'content-md5'
  )
}

function lowerCased(
  ...all: Readonly<Record<string, string>>[]
): Record<string, string> {
  return Object.fromEntries(
    all
      .flatMap((headers) => Object.entries(headers))
      .map(([name, value]) => [name.toLowerCase(), value]),
  )
}
