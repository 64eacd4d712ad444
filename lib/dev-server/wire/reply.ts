import type { ApiError } from './api-error.js'
import type { Dialect } from './dialect.js'
import { textElement, xmlDocument } from './xml.js'

/** A stretch of a file, `end` not included. */
export interface FileRange {
  readonly path: string
  readonly start: number
  readonly end: number
}

/** An answer before it is written to a connection. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | FileRange
}

/** An answer without a body. */
export function emptyReply(
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return { status, headers }
}

/** A 200 with a document in the dialect's namespace. */
export function xmlReply(
  dialect: Dialect,
  root: string,
  children: readonly string[],
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return {
    status: 200,
    headers: { 'content-type': 'application/xml', ...headers },
    body: xmlDocument(root, children, dialect.namespace),
  }
}

/** What an error's answer says about where it happened. */
export interface ErrorPlace {
  readonly requestId: string
  readonly hostId: string
  readonly resource: string
  readonly isHead: boolean
}

const maxErrorHeader = 4096

/** An error as XML; for HEAD in a header, where OSS puts it. */
export function errorReply(
  error: Pick<ApiError, 'status' | 'message' | 'ec' | 'extra'> & {
    /** Any word: faults make up their own. */
    code: string
  },
  dialect: Dialect,
  place: ErrorPlace,
): Reply {
  const isOss = dialect.name === 'oss'
  const hasEc = isOss && error.ec !== ''
  const write = (extra: Readonly<Record<string, string>>): string =>
    xmlDocument('Error', [
      textElement('Code', error.code),
      textElement('Message', error.message),
      ...(isOss ? [] : [textElement('Resource', place.resource)]),
      textElement('RequestId', place.requestId),
      textElement('HostId', place.hostId),
      ...Object.entries(extra).map(([name, value]) => textElement(name, value)),
      ...(hasEc ? [textElement('EC', error.ec)] : []),
    ])
  const xml = write(error.extra)
  const headers: Record<string, string> = { 'content-type': 'application/xml' }
  if (hasEc) headers['x-oss-ec'] = error.ec
  if (place.isHead && isOss) {
    // Echoes of a long request would make a head that clients refuse.
    const short = xml.length > maxErrorHeader ? write({}) : xml
    headers['x-oss-err'] = Buffer.from(short).toString('base64')
  }
  return { status: error.status, headers, body: xml }
}
