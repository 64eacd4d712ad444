/** AWS Signature Version 4 for S3: pure functions of the request and the time. */
import { createHash, createHmac } from 'node:crypto'
import { compactTime } from '../clock.js'
import type { Credentials } from '../credentials.js'
import { encodeQuery, type Query } from '../percent-encode.js'

const algorithm = 'AWS4-HMAC-SHA256'

export const unsignedPayload = 'UNSIGNED-PAYLOAD'

export interface SigV4Input {
  method: string
  /** As it goes out, without the query: S3 signs the real path. */
  path: string
  query: Query
  /** Every one is signed; `host` must be among them. */
  headers: Readonly<Record<string, string>>
  credentials: Credentials
  region: string
  time: Date
}

export interface SigV4Signature {
  canonicalRequest: string
  stringToSign: string
  signature: string
}

/**
 * The headers to add to the request, `authorization` among them. `payload` is
 * the body's SHA-256 in hex, or {@link unsignedPayload}.
 */
export function signSigV4(
  input: SigV4Input & { payload: string },
): SigV4Signature & { headers: Record<string, string> } {
  const added: Record<string, string> = {
    'x-amz-date': compactTime(input.time),
    'x-amz-content-sha256': input.payload,
  }
  if (input.credentials.token !== undefined) {
    added['x-amz-security-token'] = input.credentials.token
  }
  const headers = { ...input.headers, ...added }
  const signed = sign(input, input.query, { headers, payload: input.payload })
  added['authorization'] =
    `${algorithm} Credential=${input.credentials.id}/${scopeOf(input)}, ` +
    `SignedHeaders=${namesOf(headers)}, Signature=${signed.signature}`
  return { ...signed, headers: added }
}

/** The whole query of a URL that works for `expires` seconds (1 to 604800). */
export function presignSigV4(
  input: SigV4Input & { expires: number },
): SigV4Signature & { query: Query } {
  const { id, token } = input.credentials
  const query: [string, string][] = [
    ...input.query.map(([name, value]): [string, string] => [name, value]),
    ['X-Amz-Algorithm', algorithm],
    ['X-Amz-Content-Sha256', unsignedPayload],
    ['X-Amz-Credential', `${id}/${scopeOf(input)}`],
    ['X-Amz-Date', compactTime(input.time)],
    ['X-Amz-Expires', String(input.expires)],
    ['X-Amz-SignedHeaders', namesOf(input.headers)],
  ]
  if (token !== undefined) query.push(['X-Amz-Security-Token', token])
  const { headers } = input
  const signed = sign(input, query, { headers, payload: unsignedPayload })
  return { ...signed, query: [...query, ['X-Amz-Signature', signed.signature]] }
}

/** Of a body that is all here. */
export function payloadHash(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}

function sign(
  input: SigV4Input,
  query: Query,
  {
    headers,
    payload,
  }: { headers: Readonly<Record<string, string>>; payload: string },
): SigV4Signature {
  const values = new Map(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
  const canonicalHeaders = [...values.keys()]
    .toSorted()
    .map((name) => `${name}:${collapsed(values.get(name) ?? '')}\n`)
    .join('')
  const canonicalRequest = [
    input.method,
    input.path,
    encodeQuery(query, '='),
    canonicalHeaders,
    namesOf(headers),
    payload,
  ].join('\n')
  const stringToSign = [
    algorithm,
    compactTime(input.time),
    scopeOf(input),
    payloadHash(Buffer.from(canonicalRequest)),
  ].join('\n')
  const signature = hmac(signingKey(input), stringToSign).toString('hex')
  return { canonicalRequest, stringToSign, signature }
}

function signingKey({ time, region, credentials }: SigV4Input): Buffer {
  const steps = [compactTime(time).slice(0, 8), region, 's3', 'aws4_request']
  return steps.reduce(hmac, Buffer.from(`AWS4${credentials.secret}`))
}

function scopeOf({ time, region }: SigV4Input): string {
  return `${compactTime(time).slice(0, 8)}/${region}/s3/aws4_request`
}

function namesOf(headers: Readonly<Record<string, string>>): string {
  return Object.keys(headers)
    .map((name) => name.toLowerCase())
    .toSorted()
    .join(';')
}

function collapsed(value: string): string {
  return value.trim().replace(/ +/g, ' ')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
