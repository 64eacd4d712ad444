/**
 * What a server's refusal says, out of an answer whose secrets have been cut out.
 * Codes and IDs are kept if they look like what they should be. Its words are
 * kept as text that can be printed, but for refusals of a signature or a token,
 * which are about little else than what must not be shown.
 */
import type { HttpAnswer } from './answer.js'
import type { StoreErrorKind } from './store-error.js'
import { parseXml, trimmedText, type XmlElement } from './xml.js'

/** Of an error's document, and of what else says one thing only. */
export const errorBytes = 64 * 1024

/** In place of a secret; a control character, which no ID may hold. */
export const cutMark = '\u007f'

/** Of the server's words, in bytes. */
const maxWords = 512

export interface ServerError {
  status: number
  code?: string | undefined
  requestId?: string | undefined
  hostId?: string | undefined
  ec?: string | undefined
  /** Where the bucket really is, when the server says so. */
  endpoint?: string | undefined
  region?: string | undefined
  /** The server's own words. */
  message?: string | undefined
  /** The argument, the header or the condition that it is about. */
  argument?: string | undefined
  /** Where the service explains it. */
  recommendDoc?: string | undefined
}

/** Names of the headers that a service answers with. */
export interface ErrorHeaders {
  requestId: string
  hostId?: string
  ec?: string
  /** Base64 of the error's XML, for answers without a body. */
  xml?: string
  region?: string
}

/** Never throws: a body that is not XML leaves only the status. */
export function readServerError(
  { status, headers, body }: HttpAnswer,
  names: ErrorHeaders,
): ServerError {
  const header = (name: string | undefined) =>
    name === undefined ? undefined : headers[name]
  const xml = errorElement(body) ?? {}
  const code = identifier(text(xml, 'Code'))
  const words = (name: string) => printable(text(xml, name))
  return {
    status,
    code,
    requestId: identifier(header(names.requestId) ?? text(xml, 'RequestId')),
    hostId: identifier(text(xml, 'HostId') ?? header(names.hostId)),
    ec: identifier(text(xml, 'EC') ?? header(names.ec)),
    endpoint: hostName(text(xml, 'Endpoint')),
    region: identifier(text(xml, 'Region') ?? header(names.region)),
    message: isAboutSecrets(code) ? undefined : words('Message'),
    argument: words('ArgumentName') ?? words('Header') ?? words('Condition'),
    recommendDoc: link(text(xml, 'RecommendDoc')),
  }
}

/**
 * An answer with the error's document as its body: some services put it into a
 * header, in base64, where an answer has no body (HEAD).
 */
export function withErrorBody(
  answer: HttpAnswer,
  { xml }: ErrorHeaders,
): HttpAnswer {
  if (xml === undefined || answer.status < 300) return answer
  const { [xml]: encoded, ...headers } = answer.headers
  if (encoded === undefined || errorElement(answer.body) !== undefined) {
    return answer
  }
  const body = Buffer.from(encoded.slice(0, errorBytes), 'base64')
  return { ...answer, headers, body }
}

/** `SignatureDoesNotMatch`, `SecurityTokenExpired`, `InvalidAccessKeyId`, … */
function isAboutSecrets(code: string | undefined): boolean {
  return (
    code !== undefined &&
    /signature|token|accesskey|authorization|security|credential/i.test(code)
  )
}

/** One line of at most 512 bytes; what was cut out is an ellipsis. */
function printable(value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  const line = value
    .replaceAll(cutMark, '…')
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim()
  let size = 0
  let kept = ''
  for (const character of line) {
    size += Buffer.byteLength(character)
    if (size > maxWords) break
    kept += character
  }
  return kept === '' ? undefined : kept
}

function link(value: string | undefined): string | undefined {
  return value !== undefined && /^https:\/\/[\x21-\x7e]{1,500}$/.test(value)
    ? value
    : undefined
}

/** The server's name of a request, as the headers of its answer say it. */
export function readRequestId(
  { headers }: HttpAnswer,
  { requestId }: ErrorHeaders,
): string | undefined {
  return identifier(headers[requestId])
}

/** Whether a body is an error document, whatever the status said. */
export function isErrorDocument(body: Uint8Array): boolean {
  if (body.length === 0) return false
  // Blanks keep the connection alive while the server works.
  const begin = body.findIndex((byte) => byte !== 0x20 && byte !== 0x0a)
  const head = Buffer.from(body.subarray(Math.max(0, begin)))
    .subarray(0, 1024)
    .toString('latin1')
  const root = /^(?:\xef\xbb\xbf)?\s*(?:<\?[^>]*\?>\s*)*<(?:\w+:)?Error[\s/>]/
  return root.test(head)
}

/**
 * What a status means when its code says nothing. An error under a status of
 * success is the server's own trouble: it began to answer before it knew.
 */
export function kindOfStatus(status: number): StoreErrorKind {
  if (status < 300) return 'server'
  switch (status) {
    case 429:
    case 503:
      return 'throttled'
    case 408:
      return 'server'
    case 405:
    case 501:
      return 'unsupported'
    case 401:
    case 403:
      return 'denied'
    case 409:
      return 'conflict'
    default:
      return status >= 500 ? 'server' : 'request'
  }
}

function errorElement(body: Uint8Array): XmlElement | undefined {
  if (body.length === 0 || body.length > errorBytes) return undefined
  try {
    return parseXml(body, ['Error']).element
  } catch {
    return undefined
  }
}

function text(xml: XmlElement, name: string): string | undefined {
  try {
    return trimmedText(xml, name)
  } catch {
    return undefined
  }
}

/** Codes, request IDs, regions: no spaces, nothing long. */
function identifier(value: string | undefined): string | undefined {
  const trimmed = value?.trim()
  return trimmed !== undefined && /^[A-Za-z0-9._:+/=-]{1,128}$/.test(trimmed)
    ? trimmed
    : undefined
}

function hostName(value: string | undefined): string | undefined {
  return value !== undefined && /^[A-Za-z0-9.-]{1,253}(:\d+)?$/.test(value)
    ? value
    : undefined
}
