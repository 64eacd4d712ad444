import { apiError } from '../wire/api-error.js'
import { percentDecode, percentEncode } from '../wire/percent.js'
import { header, type RequestHead } from '../wire/request-head.js'
import { parseBasicIso, type Claim } from './claim.js'
import {
  authorizationFields,
  parseScope,
  signCanonical,
  type ScopeWords,
} from './scope.js'

const words: ScopeWords = {
  algorithm: 'AWS4-HMAC-SHA256',
  keyPrefix: 'AWS4',
  terminator: 'aws4_request',
}

interface Fields {
  credential: string
  time: string
  signature: string
  token: string | undefined
  signedHeaders: string[]
  payload: string
  expires?: number
}

/** The claim of an `AWS4-HMAC-SHA256` request, header or presigned form. */
export function claimAwsV4(head: RequestHead): Claim | undefined {
  const authorization = header(head.headers, 'authorization') ?? ''
  if (authorization.startsWith(words.algorithm)) {
    return toClaim(head, headerFields(head, authorization))
  }
  return head.query.get('X-Amz-Algorithm') === words.algorithm
    ? toClaim(head, queryFields(head))
    : undefined
}

function headerFields({ headers }: RequestHead, authorization: string): Fields {
  const fields = authorizationFields(
    authorization.slice(words.algorithm.length),
  )
  const payload = header(headers, 'x-amz-content-sha256')
  if (payload === undefined) {
    apiError('InvalidRequest', {
      message: 'Missing required header for this request: x-amz-content-sha256',
    })
  }
  return {
    credential: fields.get('Credential')?.trim() ?? '',
    time: header(headers, 'x-amz-date') ?? '',
    signature: fields.get('Signature')?.trim() ?? '',
    token: header(headers, 'x-amz-security-token'),
    signedHeaders: (fields.get('SignedHeaders')?.trim() ?? '').split(';'),
    payload,
  }
}

function queryFields({ query }: RequestHead): Fields {
  const seconds = Number(query.get('X-Amz-Expires'))
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 604_800) {
    malformed('X-Amz-Expires must be between 1 and 604800 seconds.')
  }
  return {
    credential: query.get('X-Amz-Credential') ?? '',
    time: query.get('X-Amz-Date') ?? '',
    signature: query.get('X-Amz-Signature') ?? '',
    token: query.get('X-Amz-Security-Token'),
    signedHeaders: (query.get('X-Amz-SignedHeaders') ?? '').split(';'),
    payload: query.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD',
    expires: seconds * 1000,
  }
}

function malformed(message: string): never {
  return apiError('AuthorizationHeaderMalformed', { message })
}

function toClaim(head: RequestHead, fields: Fields): Claim {
  const scope = parseScope(fields.credential, words)
  if (scope === undefined || scope.product !== 's3') {
    malformed('The credential is not id/date/region/s3/aws4_request.')
  }
  const time = parseBasicIso(fields.time)
  if (time === undefined || !fields.time.startsWith(scope.date)) {
    malformed('The date is missing or differs from that of the credential.')
  }
  requireSigned(head, fields)
  const { expires } = fields
  return {
    accessKeyId: scope.accessKeyId,
    token: fields.token,
    time,
    expires: expires === undefined ? undefined : time + expires,
    region: scope.region,
    payload: fields.payload,
    signature: fields.signature,
    sign: (secret) =>
      signCanonical(
        words,
        scope,
        fields.time,
        canonicalRequest(head, fields),
        secret,
      ),
  }
}

/** `host` and every `x-amz-*` header have to be among the signed ones. */
function requireSigned({ headers }: RequestHead, fields: Fields): void {
  const missing = ['host', ...Object.keys(headers)].filter(
    (name) =>
      (name === 'host' || name.startsWith('x-amz-')) &&
      !fields.signedHeaders.includes(name),
  )
  // A presigned request repeats nothing of its query in headers, except this.
  if (missing.some((name) => name !== 'x-amz-content-sha256')) {
    apiError('AccessDenied', {
      message:
        'There were headers present in the request which were not signed',
      extra: { HeadersNotSigned: missing.join(', ') },
    })
  }
}

/** Signs the path as it was sent, not `/bucket/key`. */
function canonicalRequest(head: RequestHead, fields: Fields): string {
  const path = percentDecode(head.path) ?? Buffer.from(head.path, 'latin1')
  const names = fields.signedHeaders
  const headers = names
    .toSorted()
    .map(
      (name) =>
        `${name}:${(header(head.headers, name) ?? '').trim().replaceAll(/ +/g, ' ')}\n`,
    )
  return [
    head.method,
    percentEncode(path, true) || '/',
    head.query.canonical('=', 'X-Amz-Signature'),
    headers.join(''),
    names.join(';'),
    fields.payload,
  ].join('\n')
}
