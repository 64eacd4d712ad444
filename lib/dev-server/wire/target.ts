import { isIP } from 'node:net'
import { apiError } from './api-error.js'
import { percentDecodeText } from './percent.js'
import { Query } from './query.js'

/** What a request's target and Host header name. */
export interface Target {
  /** As it came, without the query. */
  readonly path: string
  readonly query: Query
  readonly bucket: string | undefined
  readonly key: string | undefined
}

/**
 * Reads bucket and key: from the host for `bucket.localhost` and the official
 * host names and for hosts bound to a bucket, from the path otherwise.
 */
export function parseTarget(
  url: string,
  host: string,
  bound: Readonly<Record<string, string>> = {},
): Target {
  const target = url.replace(/^https?:\/\/[^/?]*/i, '')
  const question = target.indexOf('?')
  const path = question < 0 ? target : target.slice(0, question)
  const query = Query.parse(question < 0 ? '' : target.slice(question + 1))
  const rest = path.slice(1)
  const hostBucket = bucketOfHost(host, bound)
  if (hostBucket !== undefined) {
    return { path, query, bucket: hostBucket, key: decode(rest) }
  }
  const slash = rest.indexOf('/')
  return {
    path,
    query,
    bucket: decode(slash < 0 ? rest : rest.slice(0, slash)),
    key: decode(slash < 0 ? '' : rest.slice(slash + 1)),
  }
}

const officialHost =
  /(?:^|\.)(?:(?:s3\.)?oss-[a-z0-9-]+\.aliyuncs\.com|s3[.-](?:[a-z0-9-]+\.)*amazonaws\.com|localhost)$/

/** The name or address in a Host header, without port and brackets. */
export function hostName(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replaceAll(/^\[|\]$|\.$/g, '')
}

/** One of the real services, or below one: tests send such Host headers. */
export function isOfficialHost(name: string): boolean {
  return officialHost.test(name)
}

/** The bucket that a Host header names, if it names one. */
export function bucketOfHost(
  host: string,
  bound: Readonly<Record<string, string>> = {},
): string | undefined {
  const name = hostName(host)
  if (Object.hasOwn(bound, name)) return bound[name]
  if (isIP(name) !== 0) return undefined
  const match = officialHost.exec(name)
  return match === null || match.index === 0
    ? undefined
    : name.slice(0, match.index)
}

function decode(raw: string): string | undefined {
  if (raw === '') return undefined
  return percentDecodeText(raw) ?? apiError('InvalidURI')
}
