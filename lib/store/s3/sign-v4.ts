/** AWS Signature Version 4 for S3: pure functions of the request and the time. */
import { sha256 } from '../../hash/sha256.js'
import { compactTime } from '../clock.js'
import type { Credentials } from '../credentials.js'
import { lowerCased } from '../header-values.js'
import { encodeQuery, type Query } from '../percent-encode.js'
import { signatureOf, signingKey } from '../signing-key.js'

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
  const stamp = compactTime(input.time)
  const added: Record<string, string> = {
    'x-amz-date': stamp,
    'x-amz-content-sha256': input.payload,
  }
  if (input.credentials.token !== undefined) {
    added['x-amz-security-token'] = input.credentials.token
  }
  const values = lowerCased(input.headers, added)
  const names = [...values.keys()].toSorted()
  const steps = [stamp.slice(0, 8), input.region, 's3', 'aws4_request']
  const signed = sign(input, { stamp, steps, names, values })
  added['authorization'] =
    `${algorithm} Credential=${input.credentials.id}/${steps.join('/')}, ` +
    `SignedHeaders=${names.join(';')}, Signature=${signed.signature}`
  return { headers: added, ...signed }
}

function sign(
  input: SigV4Input & { payload: string },
  {
    stamp,
    steps,
    names,
    values,
  }: {
    /** The time as it is signed. */
    stamp: string
    /** Of the scope. */
    steps: readonly string[]
    /** Of the headers, sorted. */
    names: readonly string[]
    values: ReadonlyMap<string, string>
  },
): SigV4Signature {
  let canonicalHeaders = ''
  for (const name of names) {
    canonicalHeaders += `${name}:${collapsed(values.get(name) ?? '')}\n`
  }
  const canonicalRequest = [
    input.method,
    input.path,
    encodeQuery(input.query, '='),
    canonicalHeaders,
    names.join(';'),
    input.payload,
  ].join('\n')
  const stringToSign = [
    algorithm,
    stamp,
    steps.join('/'),
    sha256(canonicalRequest),
  ].join('\n')
  const key = signingKey(input.credentials, 'AWS4', steps)
  const signature = signatureOf(key, stringToSign)
  return { canonicalRequest, stringToSign, signature }
}

function collapsed(value: string): string {
  const text = value.trim()
  return text.includes('  ') ? text.replace(/ +/g, ' ') : text
}
