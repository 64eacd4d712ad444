import { createHmac } from 'node:crypto'
import { apiError, invalidArgument } from '../wire/api-error.js'
import {
  header,
  headerEntries,
  type RequestHead,
} from '../wire/request-head.js'
import { binary, type Claim } from './claim.js'

/** Query parameters that are part of what V1 signs. */
const subResources = new Set([
  'acl',
  'append',
  'asyncFetch',
  'bucketInfo',
  'callback',
  'callback-var',
  'cloudboxes',
  'cname',
  'comp',
  'continuation-token',
  'cors',
  'delete',
  'encryption',
  'endTime',
  'img',
  'inventory',
  'inventoryId',
  'lifecycle',
  'live',
  'location',
  'logging',
  'objectMeta',
  'partNumber',
  'policy',
  'position',
  'qos',
  'qosInfo',
  'referer',
  'regionList',
  'replication',
  'replicationLocation',
  'replicationProgress',
  'requestPayment',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'restore',
  'security-token',
  'sequential',
  'startTime',
  'stat',
  'status',
  'style',
  'styleName',
  'symlink',
  'tagging',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
  'vod',
  'website',
  'worm',
  'wormExtend',
  'wormId',
])

/**
 * The claim of an `OSS id:signature` request or of a URL with
 * `OSSAccessKeyId`; `extra` names further signed parameters.
 */
export function claimOssV1(
  head: RequestHead,
  extra: readonly string[] = [],
): Claim | undefined {
  const authorization = header(head.headers, 'authorization') ?? ''
  if (authorization.startsWith('OSS ')) {
    return headerClaim(head, authorization.slice(4), extra)
  }
  return head.query.has('OSSAccessKeyId') && head.query.has('Signature')
    ? queryClaim(head, extra)
    : undefined
}

function headerClaim(
  head: RequestHead,
  pair: string,
  extra: readonly string[],
): Claim {
  const colon = pair.lastIndexOf(':')
  if (colon < 0) invalidArgument('Authorization', '')
  const date =
    header(head.headers, 'x-oss-date') ?? header(head.headers, 'date') ?? ''
  const time = Date.parse(date)
  if (Number.isNaN(time)) {
    apiError('AccessDenied', {
      message: 'OSS authentication requires a valid Date.',
    })
  }
  return {
    accessKeyId: pair.slice(0, colon).trim(),
    token: header(head.headers, 'x-oss-security-token'),
    time,
    expires: undefined,
    region: undefined,
    payload: 'UNSIGNED-PAYLOAD',
    signature: pair.slice(colon + 1).trim(),
    sign: (secret) => sign(head, date, extra, secret),
  }
}

function queryClaim(head: RequestHead, extra: readonly string[]): Claim {
  const { query } = head
  const expires = query.get('Expires') ?? ''
  if (!/^\d+$/.test(expires)) invalidArgument('Expires', expires)
  return {
    accessKeyId: query.get('OSSAccessKeyId') ?? '',
    token: query.get('security-token'),
    time: undefined,
    expires: Number(expires) * 1000,
    region: undefined,
    payload: 'UNSIGNED-PAYLOAD',
    signature: query.get('Signature') ?? '',
    sign: (secret) => sign(head, expires, extra, secret),
  }
}

function sign(
  head: RequestHead,
  date: string,
  extra: readonly string[],
  secret: string,
) {
  const ossHeaders = headerEntries(head.headers)
    .filter(([name]) => name.startsWith('x-oss-'))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value.trim()}\n`)
  const stringToSign = [
    head.method,
    header(head.headers, 'content-md5')?.trim() ?? '',
    header(head.headers, 'content-type')?.trim() ?? '',
    date,
    ossHeaders.join('') + canonicalResource(head, extra),
  ].join('\n')
  const signature = createHmac('sha1', secret)
    .update(stringToSign, 'latin1')
    .digest('base64')
  return { signature, stringToSign }
}

function canonicalResource(
  { bucket, key = '', query }: RequestHead,
  extra: readonly string[],
): string {
  const path = bucket === undefined ? '/' : `/${bucket}/${key}`
  const signed = query.pairs
    .filter(
      ([name]) =>
        subResources.has(name) ||
        name.startsWith('x-oss-') ||
        extra.includes(name),
    )
    .map(([name, value]) => [binary(name), binary(value)])
    .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1))
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
  return binary(path) + (signed.length === 0 ? '' : `?${signed.join('&')}`)
}
