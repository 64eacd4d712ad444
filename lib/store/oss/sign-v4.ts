/** OSS signature version 4: pure functions of the request and the time. */
import { createHash, createHmac } from 'node:crypto'
import { compactTime } from '../clock.js'
import type { Credentials } from '../credentials.js'
import { encodeQuery, percentEncodeKey, type Query } from '../percent-encode.js'

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
  const headers = lowerCased({ ...input.headers, ...added })
  const additional = additionalOf(input, headers)
  const signed = sign(input, input.query, headers, additional)
  const list =
    additional.length === 0 ? '' : `AdditionalHeaders=${additional.join(';')},`
  added['authorization'] =
    `${algorithm} Credential=${input.credentials.id}/${signed.scope},${list}Signature=${signed.signature}`
  return { ...signed, headers: added }
}

/** The whole query of a URL that works for `expires` seconds (1 to 604800). */
export function presignV4(
  input: V4Input & { expires: number },
): V4Signature & { query: Query } {
  const headers = lowerCased(input.headers)
  const additional = additionalOf(input, headers)
  const { id, token } = input.credentials
  const query: [string, string][] = [
    ...input.query.map(([name, value]): [string, string] => [name, value]),
    ['x-oss-signature-version', algorithm],
    ['x-oss-credential', `${id}/${scopeOf(input)}`],
    ['x-oss-date', compactTime(input.time)],
    ['x-oss-expires', String(input.expires)],
  ]
  if (token !== undefined) query.push(['x-oss-security-token', token])
  if (additional.length > 0) {
    query.push(['x-oss-additional-headers', additional.join(';')])
  }
  const signed = sign(input, query, headers, additional)
  return { ...signed, query: [...query, ['x-oss-signature', signed.signature]] }
}

/** `/bucket/key`, `/bucket/` or `/`, encoded; the same for every URL style. */
export function canonicalUri(bucket?: string, key?: string): string {
  if (bucket === undefined) return '/'
  return percentEncodeKey(`/${bucket}/${key ?? ''}`)
}

/** Valid for one day, region and product. */
export function signingKey(input: V4Input): Buffer {
  const steps = [
    compactTime(input.time).slice(0, 8),
    input.region,
    input.product ?? 'oss',
    'aliyun_v4_request',
  ]
  return steps.reduce(hmac, Buffer.from(`aliyun_v4${input.credentials.secret}`))
}

function sign(
  input: V4Input,
  query: Query,
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
    encodeQuery(query, ''),
    canonicalHeaders,
    additionalHeaders.join(';'),
    payload,
  ].join('\n')
  const scope = scopeOf(input)
  const stringToSign = [
    algorithm,
    compactTime(input.time),
    scope,
    createHash('sha256').update(canonicalRequest).digest('hex'),
  ].join('\n')
  const signature = hmac(signingKey(input), stringToSign).toString('hex')
  return { canonicalRequest, scope, stringToSign, signature, additionalHeaders }
}

function scopeOf({ time, region, product = 'oss' }: V4Input): string {
  return `${compactTime(time).slice(0, 8)}/${region}/${product}/aliyun_v4_request`
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
  headers: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
