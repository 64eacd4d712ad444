/** OSS signature version 4: pure functions of the request and the time. */
import { sha256 } from '../../hash/sha256.js'
import { compactTime } from '../clock.js'
import type { Credentials } from '../credentials.js'
import { lowerCased } from '../header-values.js'
import { encodeQuery, percentEncodeKey, type Query } from '../percent-encode.js'
import { signatureOf, signingKey } from '../signing-key.js'

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
  const stamp = compactTime(input.time)
  const added: Record<string, string> = {
    'x-oss-date': stamp,
    'x-oss-content-sha256': payload,
  }
  if (input.credentials.token !== undefined) {
    added['x-oss-security-token'] = input.credentials.token
  }
  const headers = lowerCased(input.headers, added)
  const additional = additionalOf(input, headers)
  const signed = sign(input, { stamp, headers, additional })
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

interface Signing {
  /** The time, as it is signed. */
  stamp: string
  /** By their names in lower case. */
  headers: ReadonlyMap<string, string>
  /** Names that are signed beside the usual ones. */
  additional: string[]
}

function sign(
  input: V4Input,
  { stamp, headers, additional }: Signing,
): V4Signature {
  let canonicalHeaders = ''
  for (const name of [...headers.keys()].toSorted()) {
    if (!signedByDefault(name) && !additional.includes(name)) continue
    canonicalHeaders += `${name}:${headers.get(name)?.trim() ?? ''}\n`
  }
  const canonicalRequest = [
    input.method,
    canonicalUri(input.bucket, input.key),
    encodeQuery(input.query, ''),
    canonicalHeaders,
    additional.join(';'),
    payload,
  ].join('\n')
  const { credentials, region, product = 'oss' } = input
  const steps = [stamp.slice(0, 8), region, product, 'aliyun_v4_request']
  const scope = steps.join('/')
  const stringToSign = [algorithm, stamp, scope, sha256(canonicalRequest)].join(
    '\n',
  )
  const key = signingKey(credentials, 'aliyun_v4', steps)
  const signature = signatureOf(key, stringToSign)
  return {
    canonicalRequest,
    scope,
    stringToSign,
    signature,
    additionalHeaders: additional,
  }
}

function additionalOf(
  { additionalHeaders = [] }: V4Input,
  headers: ReadonlyMap<string, string>,
): string[] {
  if (additionalHeaders.length === 0) return []
  const names = additionalHeaders.map((name) => name.toLowerCase())
  return [...new Set(names)]
    .filter((name) => headers.has(name) && !signedByDefault(name))
    .toSorted()
}

function signedByDefault(name: string): boolean {
  return (
    name.startsWith('x-oss-') ||
    name === 'content-type' ||
    name === 'content-md5'
  )
}
