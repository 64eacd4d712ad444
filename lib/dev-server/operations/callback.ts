import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { messageOf } from '../../realm.js'
import { hexToDecimal } from '../body/digests.js'
import { isLoopback } from '../loopback.js'
import type { ObjectRecord } from '../storage/records.js'
import { ApiError, apiError, invalidArgument } from '../wire/api-error.js'
import type { Reply } from '../wire/reply.js'
import { isRecord } from '../wire/read-xml.js'
import { ownHeader, type Context } from './context.js'

const timeout = 5000
const maxUrls = 5

/** What `x-oss-callback` and `x-oss-callback-var` ask for. */
export interface Callback {
  readonly urls: readonly string[]
  readonly body: string
  readonly bodyType: string
  readonly host: string | undefined
  readonly variables: Readonly<Record<string, string>>
}

/** The callback of a request, from headers or query parameters; checked. */
export function readCallback(context: Context): Callback | undefined {
  if (context.dialect.name !== 'oss') return undefined
  const { query } = context.head
  const inHeader = ownHeader(context, 'callback')
  const inQuery = query.get('callback')
  if (inHeader !== undefined && inQuery !== undefined) {
    invalidArgument('callback', '', 'Callback by header and by query.')
  }
  const encoded = inHeader ?? inQuery
  if (encoded === undefined) return undefined
  const given = decode('callback', encoded)
  const { callbackUrl, callbackBody, callbackBodyType, callbackHost } = given
  if (callbackUrl === undefined || callbackBody === undefined) {
    invalidArgument('callback', '', 'callbackUrl and callbackBody are needed.')
  }
  const urls = callbackUrl.split(';').filter((url) => url !== '')
  if (urls.length === 0 || urls.length > maxUrls) {
    invalidArgument('callbackUrl', callbackUrl)
  }
  const variables =
    ownHeader(context, 'callback-var') ?? query.get('callback-var')
  return {
    urls,
    body: callbackBody,
    bodyType: callbackBodyType ?? 'application/x-www-form-urlencoded',
    host: callbackHost,
    variables: variables === undefined ? {} : decode('callback-var', variables),
  }
}

function decode(name: string, encoded: string): Record<string, string> {
  const json = Buffer.from(encoded, 'base64').toString()
  try {
    const value: unknown = JSON.parse(json)
    if (isRecord(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, String(item)]),
      )
    }
  } catch {
    // Refused below, like JSON of another shape.
  }
  return invalidArgument(name, encoded, 'It is not base64 of a JSON object.')
}

/**
 * Calls back and answers what was answered; `CallbackFailed` (203) when no URL
 * gave JSON. The object stays in either case.
 */
export async function answerCallback(
  context: Context,
  callback: Callback,
  record: ObjectRecord,
  headers: Record<string, string>,
): Promise<Reply> {
  const body = fillIn(callback, record)
  let reason = ''
  for (const url of callback.urls) {
    try {
      const json = await post(url, callback, body, context.signal)
      return {
        status: 200,
        headers: { ...headers, 'content-type': 'application/json' },
        body: json,
      }
    } catch (error) {
      reason = messageOf(error)
    }
  }
  return apiError('CallbackFailed', { message: reason })
}

/** Puts values in the place of `${name}`. */
function fillIn(callback: Callback, record: ObjectRecord): string {
  const values: Record<string, string | number> = {
    bucket: record.bucket,
    object: record.key,
    etag: record.etag.toUpperCase(),
    size: record.size,
    mimeType: record.settings.headers['content-type'] ?? '',
    ...(record.crc64 === undefined
      ? {}
      : { crc64: hexToDecimal(record.crc64) }),
    ...callback.variables,
  }
  const isJson = callback.bodyType === 'application/json'
  return callback.body.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    const value = values[name] ?? ''
    return isJson ? JSON.stringify(value) : encodeURIComponent(value)
  })
}

async function post(
  url: string,
  callback: Callback,
  body: string,
  signal: AbortSignal,
): Promise<string> {
  const target = new URL(url.includes('://') ? url : `http://${url}`)
  if (target.protocol !== 'http:' || !isLoopback(target.hostname)) {
    throw new ApiError('CallbackFailed', {
      message: 'Only http URLs on loopback are called back.',
    })
  }
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeout)])
  const { status, answer } = await new Promise<{
    status: number
    answer: string
  }>((resolve, reject) => {
    const call = request(target, {
      method: 'POST',
      signal: limit,
      agent: false,
      headers: {
        'content-type': callback.bodyType,
        'content-length': Buffer.byteLength(body),
        ...(callback.host === undefined ? {} : { host: callback.host }),
      },
    })
    call.on('error', reject)
    call.on('response', (response) => {
      text(response).then(
        (answer) => resolve({ status: response.statusCode ?? 0, answer }),
        reject,
      )
    })
    call.end(body)
  })
  if (status !== 200) throw new Error(`Error status : ${status}.`)
  JSON.parse(answer)
  return answer
}
