import type { Fault } from './options.js'
import { ApiError, type ApiErrorDetails } from './wire/api-error.js'
import type { Dialect } from './wire/dialect.js'
import { errorReply, type ErrorPlace, type Reply } from './wire/reply.js'

/** The answer of a `status` fault. */
export function statusReply(
  fault: Extract<Fault, { kind: 'status' }>,
  dialect: Dialect,
  place: ErrorPlace,
): Reply {
  const { status, code, headers = {}, body } = fault
  if (body !== undefined) return { status, headers, body }
  if (code === undefined) return { status, headers }
  const details: ApiErrorDetails = { message: 'The server misbehaves.', ec: '' }
  const { message, ec, extra } = new ApiError('InternalError', details)
  const reply = errorReply({ code, status, message, ec, extra }, dialect, place)
  return { ...reply, headers: { ...reply.headers, ...headers } }
}

/** An answer as a fault changes it; most leave it as it is. */
export function distortReply(reply: Reply, fault: Fault | undefined): Reply {
  if (fault?.kind === 'replace-body') {
    return {
      status: fault.status ?? 200,
      headers: { 'content-type': 'application/xml' },
      body: fault.body,
    }
  }
  if (fault?.kind === 'wrong-etag') {
    return falsify(reply, (name) => name === 'etag', otherEtag)
  }
  return fault?.kind === 'wrong-crc' ? falsify(reply, isCrc, otherCrc) : reply
}

function isCrc(name: string): boolean {
  return (
    name === 'x-oss-hash-crc64ecma' ||
    (name.startsWith('x-amz-checksum-') && !/-(type|algorithm)$/.test(name))
  )
}

/** Changes matching headers, and the same values where the body repeats them. */
function falsify(
  reply: Reply,
  isMeant: (name: string) => boolean,
  change: (value: string) => string,
): Reply {
  if (reply.status >= 300) return reply
  const headers: Record<string, string> = {}
  let { body } = reply
  for (const [name, value] of Object.entries(reply.headers)) {
    const changed = isMeant(name) ? change(value) : value
    headers[name] = changed
    if (changed !== value && typeof body === 'string') {
      body = body.replaceAll(bare(value), bare(changed))
    }
  }
  return {
    status: reply.status,
    headers,
    ...(body === undefined ? {} : { body }),
  }
}

function bare(value: string): string {
  return value.replaceAll('"', '')
}

function otherEtag(etag: string): string {
  return etag.replace(/[0-9a-f]/i, (digit) => (digit === '0' ? '1' : '0'))
}

/** Decimal of OSS or base64 of S3. */
function otherCrc(value: string): string {
  if (/^\d+$/.test(value)) return (BigInt(value) ^ 1n).toString()
  const bytes = Buffer.from(value, 'base64')
  bytes[0] = (bytes[0] ?? 0) ^ 1
  return bytes.toString('base64')
}
