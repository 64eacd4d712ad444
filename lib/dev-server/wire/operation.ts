import type { Operation } from '../options.js'
import { calls, type Call } from './calls.js'
import type { Dialect } from './dialect.js'
import { headerText } from './header-text.js'
import { header, type RequestHead } from './request-head.js'

/** The names by which requests are signed; any call may have them. */
const signatureNames: Readonly<Record<Dialect['name'], ReadonlySet<string>>> = {
  s3: new Set([
    'X-Amz-Algorithm',
    'X-Amz-Content-Sha256',
    'X-Amz-Credential',
    'X-Amz-Date',
    'X-Amz-Expires',
    'X-Amz-Security-Token',
    'X-Amz-Signature',
    'X-Amz-SignedHeaders',
    // What AWS's SDKs call the operation; it decides nothing.
    'x-id',
  ]),
  oss: new Set([
    'x-oss-additional-headers',
    'x-oss-credential',
    'x-oss-date',
    'x-oss-expires',
    'x-oss-security-token',
    'x-oss-signature',
    'x-oss-signature-version',
    'OSSAccessKeyId',
    'Expires',
    'Signature',
    'security-token',
  ]),
}

/** What a request asks for. */
export interface Asked {
  readonly operation: Operation
  /** The name in the query that makes it unknown, if that is what does. */
  readonly unknownName?: string
}

/**
 * Headers that AWS's presigners put into the query: they count as headers, once
 * the signature has been checked.
 */
export function hoistedHeaders(
  { query }: RequestHead,
  dialect: Dialect,
): Record<string, string> {
  if (!hoists({ query }, dialect)) return {}
  return Object.fromEntries(
    query.pairs
      .filter(([name]) => isHoisted(name))
      .map(([name, value]) => [name.toLowerCase(), headerText(name, value)]),
  )
}

function hoists(
  { query }: Pick<RequestHead, 'query'>,
  dialect: Dialect,
): boolean {
  return dialect.name === 's3' && query.has('X-Amz-Signature')
}

function isHoisted(name: string): boolean {
  return /^x-amz-/i.test(name) && !signatureNames.s3.has(name)
}

/** Which call a request is, by method, target, query and what it copies. */
export function operationOf(head: RequestHead, dialect: Dialect): Asked {
  const call = calls.find((candidate) => fits(candidate, head, dialect))
  const known = new Set([
    ...(call?.needs ?? []),
    ...(call?.allows ?? []),
    ...signatureNames[dialect.name],
  ])
  const mayHoist = hoists(head, dialect)
  const unknown = head.query.pairs.find(
    ([name]) => !known.has(name) && !(mayHoist && isHoisted(name)),
  )
  return unknown === undefined
    ? { operation: call?.operation ?? 'Unknown' }
    : { operation: 'Unknown', unknownName: unknown[0] }
}

function fits(call: Call, head: RequestHead, dialect: Dialect): boolean {
  return (
    call.method === head.method &&
    call.on === levelOf(head) &&
    (call.dialect ?? dialect.name) === dialect.name &&
    (call.needs ?? []).every((name) => head.query.has(name)) &&
    (call.copies ?? false) === isCopy(head, dialect)
  )
}

function levelOf({ bucket, key }: RequestHead): Call['on'] {
  if (bucket === undefined) return 'service'
  return key === undefined ? 'bucket' : 'object'
}

function isCopy(head: RequestHead, dialect: Dialect): boolean {
  const name = `${dialect.prefix}copy-source`
  return (
    head.method === 'PUT' &&
    head.key !== undefined &&
    (header(head.headers, name) !== undefined ||
      (hoists(head, dialect) &&
        head.query.pairs.some(([other]) => other.toLowerCase() === name)))
  )
}
