/** AWS Signature Version 4 for S3: pure functions of the request and the time. */
import { createHash } from 'node:crypto'
import { compactTime } from '../clock.js'
import type { Credentials } from '../credentials.js'
import { encodeQuery, type Query } from '../percent-encode.js'
import { hmac, signingKey } from '../signing-key.js'

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
  const signed = sign(input, headers)
  added['authorization'] =
    `${algorithm} Credential=${input.credentials.id}/${scopeOf(input)}, ` +
    `SignedHeaders=${namesOf(headers)}, Signature=${signed.signature}`
  return { ...signed, headers: added }
}

/** Of a body that is all here. */
export function payloadHash(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}

function sign(
  input: SigV4Input & { payload: string },
  headers: Readonly<Record<string, string>>,
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
    encodeQuery(input.query, '='),
    canonicalHeaders,
    namesOf(headers),
    input.payload,
  ].join('\n')
  const stringToSign = [
    algorithm,
    compactTime(input.time),
    scopeOf(input),
    payloadHash(Buffer.from(canonicalRequest)),
  ].join('\n')
  const signature = hmac(keyFor(input), stringToSign).toString('hex')
  return { canonicalRequest, stringToSign, signature }
}

function keyFor(input: SigV4Input): Buffer {
  return signingKey(input.credentials, 'AWS4', scopeSteps(input))
}

function scopeOf(input: SigV4Input): string {
  return scopeSteps(input).join('/')
}

function scopeSteps({ time, region }: SigV4Input): string[] {
  return [compactTime(time).slice(0, 8), region, 's3', 'aws4_request']
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
