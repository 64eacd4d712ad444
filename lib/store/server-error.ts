/**
 * What a server's refusal says. Its `Message` is never kept: servers put access
 * key IDs, tokens and strings to sign into it. Codes and IDs are, if they look
 * like what they should be.
 */
import type { HttpAnswer } from './answer.js'
import type { StoreErrorKind } from './store-error.js'
import { parseXml, trimmedText, type XmlElement } from './xml.js'

/** Of an error's document, and of what else says one thing only. */
export const errorBytes = 64 * 1024

export interface ServerError {
  status: number
  code?: string | undefined
  requestId?: string | undefined
  hostId?: string | undefined
  ec?: string | undefined
  /** Where the bucket really is, when the server says so. */
  endpoint?: string | undefined
  region?: string | undefined
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
  const encoded = header(names.xml)
  const xml =
    errorElement(body) ??
    errorElement(Buffer.from(encoded?.slice(0, errorBytes) ?? '', 'base64')) ??
    {}
  return {
    status,
    code: identifier(text(xml, 'Code')),
    requestId: identifier(header(names.requestId) ?? text(xml, 'RequestId')),
    hostId: identifier(text(xml, 'HostId') ?? header(names.hostId)),
    ec: identifier(text(xml, 'EC') ?? header(names.ec)),
    endpoint: hostName(text(xml, 'Endpoint')),
    region: identifier(text(xml, 'Region') ?? header(names.region)),
  }
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
