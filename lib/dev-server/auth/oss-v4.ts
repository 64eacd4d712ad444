import { apiError, invalidArgument } from '../wire/api-error.js'
import { percentEncode } from '../wire/percent.js'
import {
  header,
  headerEntries,
  type RequestHead,
} from '../wire/request-head.js'
import { parseBasicIso, type Claim } from './claim.js'
import {
  authorizationFields,
  parseScope,
  signCanonical,
  type ScopeWords,
} from './scope.js'

const words: ScopeWords = {
  algorithm: 'OSS4-HMAC-SHA256',
  keyPrefix: 'aliyun_v4',
  terminator: 'aliyun_v4_request',
}

interface Fields {
  credential: string
  time: string
  signature: string
  token: string | undefined
  additional: string[]
  expires?: number
}

/** The claim of an `OSS4-HMAC-SHA256` request, header or presigned form. */
export function claimOssV4(head: RequestHead): Claim | undefined {
  const authorization = header(head.headers, 'authorization') ?? ''
  if (authorization.startsWith(words.algorithm)) {
    return toClaim(head, headerFields(head, authorization))
  }
  return head.query.get('x-oss-signature-version') === words.algorithm
    ? toClaim(head, queryFields(head))
    : undefined
}

function headerFields(head: RequestHead, authorization: string): Fields {
  const fields = authorizationFields(
    authorization.slice(words.algorithm.length),
  )
  const additional = fields.get('AdditionalHeaders')
  if (additional?.trim() === '') {
    invalidArgument(
      'AdditionalHeaders',
      '',
      'The AdditionalHeaders of the authorization header are empty.',
      '0002-00000209',
    )
  }
  const payload = header(head.headers, 'x-oss-content-sha256')
  if (payload !== 'UNSIGNED-PAYLOAD') {
    invalidArgument('x-oss-content-sha256', payload ?? '')
  }
  return {
    credential: fields.get('Credential')?.trim() ?? '',
    time: header(head.headers, 'x-oss-date') ?? '',
    signature: fields.get('Signature')?.trim() ?? '',
    token: header(head.headers, 'x-oss-security-token'),
    additional: split(additional),
  }
}

function queryFields({ query }: RequestHead): Fields {
  const expires = query.get('x-oss-expires') ?? ''
  const seconds = Number(expires)
  if (!/^\d+$/.test(expires) || seconds < 1 || seconds > 604_800) {
    invalidArgument('x-oss-expires', expires)
  }
  return {
    credential: query.get('x-oss-credential') ?? '',
    time: query.get('x-oss-date') ?? '',
    signature: query.get('x-oss-signature') ?? '',
    token: query.get('x-oss-security-token'),
    additional: split(query.get('x-oss-additional-headers')),
    expires: seconds * 1000,
  }
}

function split(names: string | undefined): string[] {
  return (names ?? '')
    .split(';')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
}

function toClaim(head: RequestHead, fields: Fields): Claim {
  const scope = parseScope(fields.credential, words)
  if (scope === undefined) invalidArgument('Credential', fields.credential)
  const time = parseBasicIso(fields.time)
  if (time === undefined || !fields.time.startsWith(scope.date)) {
    apiError('AccessDenied', {
      message: 'OSS authentication requires a valid x-oss-date.',
    })
  }
  const { expires } = fields
  return {
    accessKeyId: scope.accessKeyId,
    token: fields.token,
    time,
    expires: expires === undefined ? undefined : time + expires,
    region: scope.region,
    payload: 'UNSIGNED-PAYLOAD',
    signature: fields.signature,
    sign: (secret) =>
      signCanonical(
        words,
        scope,
        fields.time,
        canonicalRequest(head, fields.additional),
        secret,
      ),
  }
}

/** Its resource is `/bucket/key` whatever the URL's style. */
function canonicalRequest(head: RequestHead, additional: string[]): string {
  const { bucket, key = '' } = head
  const uri = bucket === undefined ? '/' : `/${bucket}/${key}`
  const headers = headerEntries(head.headers)
    .filter(([name]) => isSigned(name) || additional.includes(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value.trim()}\n`)
  return [
    head.method,
    percentEncode(uri, true),
    head.query.canonical('', 'x-oss-signature'),
    headers.join(''),
    additional.toSorted().join(';'),
    'UNSIGNED-PAYLOAD',
  ].join('\n')
}

function isSigned(name: string): boolean {
  return (
    name.startsWith('x-oss-') ||
    name === 'content-type' ||
    name === 'content-md5'
  )
}
