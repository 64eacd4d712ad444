/**
 * A client that sends exactly what it is told to, signed by OSS V1, and reports
 * what came back down to a cut connection.
 */
import { createHmac } from 'node:crypto'
import { request, type IncomingHttpHeaders } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { DevServer } from '../../lib/dev-server/index.js'

export interface Call {
  method: string
  key?: string
  bucket?: string
  /** Pairs of the query; an empty value is sent without `=`. */
  query?: Record<string, string | number>
  headers?: Record<string, string>
  body?: string | Buffer
  /** Bytes of the body to send before the client hangs up. */
  cutAfter?: number
  secret?: string
  accessKeyId?: string
  /** Sent without a length. */
  chunked?: boolean
  /** No Authorization header. */
  anonymous?: boolean
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** The `Code` of an error document. */
  code: string | undefined
  /** Of the socket, when the answer was cut or never came. */
  error: string | undefined
}

const signed = [
  'acl',
  'bucketInfo',
  'callback',
  'callback-var',
  'cors',
  'delete',
  'encryption',
  'lifecycle',
  'location',
  'logging',
  'objectMeta',
  'partNumber',
  'policy',
  'response-content-type',
  'restore',
  'sequential',
  'stat',
  'symlink',
  'tagging',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
  'website',
]

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase(),
  )
}

/** Path style, whatever the key. */
export function targetOf(call: Call): string {
  const bucket = call.bucket ?? 'examplebucket'
  if (bucket === '') return '/'
  const query = Object.entries(call.query ?? {}).map(([name, value]) =>
    value === '' ? name : `${name}=${encode(String(value))}`,
  )
  const path = `/${bucket}/${encode(call.key ?? '').replaceAll('%2F', '/')}`
  return query.length === 0 ? path : `${path}?${query.join('&')}`
}

function authorization(call: Call, headers: Record<string, string>): string {
  const own = Object.entries(headers)
    .filter(([name]) => name.startsWith('x-oss-'))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value}\n`)
  const parameters = Object.entries(call.query ?? {})
    .filter(([name]) => signed.includes(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
  const bucket = call.bucket ?? 'examplebucket'
  const resource =
    (bucket === '' ? '/' : `/${bucket}/${call.key ?? ''}`) +
    (parameters.length === 0 ? '' : `?${parameters.join('&')}`)
  const text = [
    call.method,
    headers['content-md5'] ?? '',
    headers['content-type'] ?? '',
    headers['date'],
    own.join('') + resource,
  ].join('\n')
  const signature = createHmac('sha1', call.secret ?? 'dev-secret')
    .update(text)
    .digest('base64')
  return `OSS ${call.accessKeyId ?? 'dev'}:${signature}`
}

/** The target and headers of a signed request. */
export function signOss(options: Call): {
  path: string
  headers: Record<string, string>
} {
  const bytes = Buffer.from(options.body ?? '')
  const headers: Record<string, string> = {
    date: new Date().toUTCString(),
    ...(options.chunked === true
      ? { 'transfer-encoding': 'chunked' }
      : { 'content-length': String(bytes.length) }),
    ...options.headers,
  }
  if (options.anonymous !== true) {
    headers['authorization'] ??= authorization(options, headers)
  }
  return { path: targetOf(options), headers }
}

export function call(server: DevServer, options: Call): Promise<Answer> {
  const { method, body = '', cutAfter } = options
  const bytes = Buffer.from(body)
  const cut = cutAfter === undefined ? {} : { cutAfter }
  return send(server, { method, ...signOss(options), body: bytes, ...cut })
}

/** A request as it goes over the wire. */
export interface Sent {
  method: string
  path: string
  headers: Record<string, string>
  body: Buffer
  cutAfter?: number
}

export function send(
  { port }: { readonly port: number },
  { method, path, headers, body, cutAfter }: Sent,
): Promise<Answer> {
  return new Promise((resolve) => {
    const broken = (error: Error & { code?: string }): void =>
      resolve({
        status: 0,
        headers: {},
        text: '',
        code: undefined,
        error: error.code ?? error.message,
      })
    const sent = request({
      host: '127.0.0.1',
      port,
      path,
      method,
      headers,
      agent: false,
    })
    sent.on('error', broken)
    sent.on('response', (response) => {
      const { statusCode: status = 0 } = response
      buffer(response).then(
        (content) => {
          const text = content.toString()
          const code = /<Code>(.*?)<\/Code>/.exec(text)?.[1]
          const error = undefined
          resolve({ status, headers: response.headers, text, code, error })
        },
        (error: Error & { code?: string }) => broken(error),
      )
    })
    if (cutAfter === undefined) {
      sent.end(body)
    } else {
      sent.write(body.subarray(0, cutAfter), () => sent.destroy())
    }
  })
}

/** The text of the first element of that name. */
export function element(text: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]
}

/** The texts of all elements of that name. */
export function elements(text: string, name: string): string[] {
  const matches = text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))
  return [...matches].map((match) => match[1] ?? '')
}

/** Starts an upload and gives its ID. */
export async function create(
  server: DevServer,
  key: string,
  more: Partial<Call> = {},
): Promise<string> {
  const query = { uploads: '', ...more.query }
  const answer = await call(server, { ...more, method: 'POST', key, query })
  return element(answer.text, 'UploadId') ?? `no upload: ${answer.text}`
}

export function putPart(
  server: DevServer,
  key: string,
  uploadId: string,
  partNumber: number,
  body: string | Buffer,
  more: Partial<Call> = {},
): Promise<Answer> {
  const query = { partNumber, uploadId }
  return call(server, { method: 'PUT', key, query, body, ...more })
}

export function complete(
  server: DevServer,
  key: string,
  uploadId: string,
  parts: { partNumber: number; etag: string | undefined }[],
  more: Partial<Call> = {},
): Promise<Answer> {
  const list = parts.map(
    ({ partNumber, etag }) =>
      `<Part><PartNumber>${partNumber}</PartNumber><ETag>${etag}</ETag></Part>`,
  )
  const body = `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`
  const query = { uploadId }
  return call(server, { method: 'POST', key, query, body, ...more })
}
