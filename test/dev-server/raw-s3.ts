/**
 * A client that sends exactly what it is told to, signed by AWS's V4 in headers,
 * and reports what came back.
 */
import { createHash, createHmac } from 'node:crypto'
import { send, type Answer } from './raw-client.js'

export interface S3Call {
  method: string
  key?: string
  /** Empty for the service. */
  bucket?: string
  query?: Record<string, string>
  headers?: Record<string, string>
  body?: string | Buffer
  secret?: string
}

/** Of a server, no more than where it is. */
export interface Listening {
  readonly port: number
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase(),
  )
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function now(): string {
  return new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

function scopeOf(date: string): string {
  return `${date.slice(0, 8)}/us-east-1/s3/aws4_request`
}

function canonicalQuery(query: Record<string, string>): string {
  return Object.entries(query)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted()
    .join('&')
}

function signatureOf(request: string, date: string, secret: string): string {
  const scope = scopeOf(date)
  const [day = '', region = '', product = '', end = ''] = scope.split('/')
  const key = hmac(hmac(hmac(`AWS4${secret}`, day), region), product)
  const digest = createHash('sha256').update(request).digest('hex')
  const text = ['AWS4-HMAC-SHA256', date, scope, digest].join('\n')
  return hmac(hmac(key, end), text).toString('hex')
}

/** The target and headers of a signed request. */
export function signS3(
  { port }: Listening,
  call: S3Call,
): { path: string; headers: Record<string, string> } {
  const { bucket = 'examplebucket', key = '', query = {} } = call
  const date = now()
  const headers: Record<string, string> = {
    host: `127.0.0.1:${port}`,
    'x-amz-date': date,
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    'content-length': String(Buffer.byteLength(call.body ?? '')),
    ...call.headers,
  }
  const path = `/${bucket}${bucket === '' ? '' : '/'}${encode(key).replaceAll('%2F', '/')}`
  const pairs = canonicalQuery(query)
  const names = Object.keys(headers).toSorted()
  const request = [
    call.method,
    path,
    pairs,
    ...names.map((name) => `${name}:${headers[name]?.trim()}`),
    '',
    names.join(';'),
    headers['x-amz-content-sha256'],
  ].join('\n')
  const signature = signatureOf(request, date, call.secret ?? 'dev-secret')
  return {
    path: pairs === '' ? path : `${path}?${pairs}`,
    headers: {
      ...headers,
      authorization: `AWS4-HMAC-SHA256 Credential=dev/${scopeOf(date)}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
    },
  }
}

/** The target of a presigned request; only `host` is signed besides it. */
export function presignS3({ port }: Listening, call: S3Call): string {
  const { bucket = 'examplebucket', key = '' } = call
  const date = now()
  const query = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `dev/${scopeOf(date)}`,
    'X-Amz-Date': date,
    'X-Amz-Expires': '60',
    'X-Amz-SignedHeaders': 'host',
    ...call.query,
  }
  const path = `/${bucket}/${encode(key).replaceAll('%2F', '/')}`
  const pairs = canonicalQuery(query)
  const request = [
    call.method,
    path,
    pairs,
    `host:127.0.0.1:${port}`,
    '',
    'host',
    'UNSIGNED-PAYLOAD',
  ].join('\n')
  return `${path}?${pairs}&X-Amz-Signature=${signatureOf(request, date, 'dev-secret')}`
}

export function s3Call(server: Listening, call: S3Call): Promise<Answer> {
  const { path, headers } = signS3(server, call)
  const { method, body = '' } = call
  return send(server, { method, path, headers, body: Buffer.from(body) })
}
