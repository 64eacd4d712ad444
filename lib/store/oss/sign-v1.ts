/** OSS signature version 1, for old private deployments. */
import { createHmac } from 'node:crypto'
import type { Credentials } from '../credentials.js'
import type { Query } from '../percent-encode.js'

export interface V1Input {
  method: string
  bucket?: string | undefined
  key?: string | undefined
  query: Query
  headers: Readonly<Record<string, string>>
  credentials: Credentials
  /** Names of further query parameters that the server counts as signed. */
  subresources?: readonly string[] | undefined
}

export interface V1Signature {
  stringToSign: string
  /** Base64. */
  signature: string
}

/** Query parameters that are part of the resource and so of the signature. */
const subresourceNames = new Set([
  'acl',
  'append',
  'bucketInfo',
  'callback',
  'callback-var',
  'cloudboxes',
  'continuation-token',
  'delete',
  'location',
  'objectMeta',
  'partNumber',
  'position',
  'regionList',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'restore',
  'security-token',
  'sequential',
  'stat',
  'symlink',
  'tagging',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
])

/** The headers to add to the request, `authorization` among them. */
export function signV1(
  input: V1Input & { time: Date },
): V1Signature & { headers: Record<string, string> } {
  const added: Record<string, string> = { date: input.time.toUTCString() }
  if (input.credentials.token !== undefined) {
    added['x-oss-security-token'] = input.credentials.token
  }
  const signed = sign(input, Object.assign({}, input.headers, added))
  added['authorization'] = `OSS ${input.credentials.id}:${signed.signature}`
  return { headers: added, ...signed }
}

/** Keys and values as they are, not encoded. */
export function canonicalizedResource({
  bucket,
  key,
  query,
  subresources = [],
}: V1Input): string {
  const path = bucket === undefined ? '/' : `/${bucket}/${key ?? ''}`
  const signed = query
    .filter(
      ([name]) =>
        subresourceNames.has(name) ||
        name.startsWith('x-oss-') ||
        subresources.includes(name),
    )
    .toSorted(byName)
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
  return signed.length === 0 ? path : `${path}?${signed.join('&')}`
}

function sign(
  input: V1Input,
  given: Readonly<Record<string, string>>,
): V1Signature {
  const headers = new Map(
    Object.entries(given).map(([name, value]) => [
      name.toLowerCase(),
      value.trim(),
    ]),
  )
  const ossHeaders = [...headers]
    .filter(([name]) => name.startsWith('x-oss-'))
    .toSorted(byName)
    .map(([name, value]) => `${name}:${value}\n`)
    .join('')
  const stringToSign = [
    input.method,
    headers.get('content-md5') ?? '',
    headers.get('content-type') ?? '',
    headers.get('x-oss-date') ?? headers.get('date') ?? '',
    ossHeaders + canonicalizedResource(input),
  ].join('\n')
  const signature = createHmac('sha1', input.credentials.secret)
    .update(stringToSign)
    .digest('base64')
  return { stringToSign, signature }
}

/** By name alone: `callback` comes before `callback-var`. */
function byName(
  [a]: readonly [string, string],
  [b]: readonly [string, string],
): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
