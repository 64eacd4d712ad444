/**
 * The server of all uploads: raw HTTP/1.1 over node:net, so that it costs less
 * than any client under test. It runs in a process of its own, throws bodies
 * away, checks no signatures, and answers the calls of OSS and S3 that an upload
 * makes, path style: Initiate, UploadPart, ListParts, Complete, Abort, Put, Head,
 * ListMultipartUploads.
 *
 * Objects whose key begins with `crc/` get the CRC-64 headers of OSS, and they
 * are right: what is sent repeats itself, so that the CRC of every part is in a
 * table and costs the server nothing (`{ crc64: { [size]: string[] } }` from the
 * parent, by position in the period). ETags are the Content-MD5 where one was
 * sent, else the part's number; of a small object always its MD5, as clients of
 * other people look at it.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { combineCrc64 } from '../modules/hash/crc64.js'
import { multipartEtag } from '../modules/upload/rules/proof.js'
import { createLine, loopback } from './line.js'

const { line: traits, isTls = false } = JSON.parse(process.argv[2] ?? '{}')
const line = traits === undefined ? loopback : createLine(traits)
let crc64Table = {}
const uploads = new Map()
const objects = new Map()
let uploadsBegun = 0
/** Of all bodies. */
let bytes = 0

process.on('message', (message) => {
  if (message.crc64 !== undefined) crc64Table = message.crc64
  if (message.ask === 'cpu') process.send({ cpu: process.cpuUsage() })
  if (message.ask === 'bytes') process.send({ bytes })
  if (message.ask === 'objects') process.send({ objects: objects.size })
})
process.on('disconnect', () => process.exit())

function serve(socket) {
  const connection = new Connection(socket)
  line.read(socket, (chunk) => connection.take(chunk))
}

const fixture = (name) =>
  readFileSync(new URL(`../../test/fixtures/tls/${name}`, import.meta.url))
const server = isTls
  ? createTlsServer(
      { cert: fixture('cert.pem'), key: fixture('key.pem'), noDelay: true },
      serve,
    )
  : createServer({ noDelay: true }, serve)
server.listen({ port: 0, host: '127.0.0.1', backlog: 511 }, () =>
  process.send({ port: server.address().port }),
)

const endOfHead = Buffer.from('\r\n\r\n')
/** Objects up to this, in bytes, are hashed where no Content-MD5 came with them. */
const largestHashed = 64 * 1024
/** Bodies as large as this are never collected. */
const largestKept = 4 * 1024 * 1024

class Connection {
  #socket
  #head = ''
  #request
  #left = 0
  #kept

  constructor(socket) {
    this.#socket = socket
    socket.on('error', () => socket.destroy())
  }

  take(chunk) {
    let at = 0
    while (at < chunk.length) {
      if (this.#request === undefined) {
        at = this.#takeHead(chunk, at)
      } else {
        const end = Math.min(chunk.length, at + this.#left)
        if (this.#kept !== undefined) this.#kept.push(chunk.subarray(at, end))
        this.#left -= end - at
        bytes += end - at
        at = end
      }
      if (this.#request !== undefined && this.#left === 0) this.#answer()
    }
  }

  #takeHead(chunk, at) {
    const end = this.#head === '' ? chunk.indexOf(endOfHead, at) : -1
    if (end >= 0) {
      this.#begin(chunk.latin1Slice(at, end))
      return end + 4
    }
    const before = this.#head.length
    const text = this.#head + chunk.latin1Slice(at)
    const found = text.indexOf('\r\n\r\n')
    if (found < 0) {
      this.#head = text
      return chunk.length
    }
    this.#head = ''
    this.#begin(text.slice(0, found))
    return at + found + 4 - before
  }

  #begin(head) {
    const [first, method, target] = /^(\S+) (\S+) /.exec(head) ?? []
    if (first === undefined) return this.#socket.destroy()
    const header = (name) =>
      new RegExp(`\\r\\n${name}: *([^\\r]*)`, 'i').exec(head)?.[1]
    // Nothing under test sends one; better loud than wrong.
    if (header('transfer-encoding')) throw new Error(`chunked: ${head}`)
    const size = Number(header('content-length') ?? 0)
    const mark = target.indexOf('?')
    const path = mark < 0 ? target : target.slice(0, mark)
    const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark))
    const md5 = header('content-md5')
    this.#request = { method, path, query, size, md5 }
    this.#left = size
    const isHashed = method === 'PUT' && md5 === undefined && query.size === 0
    const most = method === 'POST' ? largestKept : isHashed ? largestHashed : 0
    this.#kept = size > 0 && size <= most ? [] : undefined
    if (header('expect') !== undefined) {
      this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n')
    }
  }

  #answer() {
    const request = this.#request
    const body = this.#kept && Buffer.concat(this.#kept)
    if (request.method === 'PUT' && body !== undefined) {
      request.md5 = createHash('md5').update(body).digest('base64')
    }
    this.#request = undefined
    this.#kept = undefined
    const {
      status = 200,
      headers = {},
      xml = '',
      length,
    } = answer(request, body)
    let head = `HTTP/1.1 ${status} OK\r\nDate: ${date()}\r\nx-oss-request-id: 0\r\n`
    for (const name in headers) head += `${name}: ${headers[name]}\r\n`
    const text = xml === '' ? '' : `<?xml version="1.0"?>\n${xml}`
    head += `Content-Length: ${length ?? text.length}\r\n\r\n`
    line.answer(() => this.#socket.write(head + text, 'latin1'))
  }
}

let lastDate = { at: 0, text: '' }
function date() {
  const now = Date.now()
  if (now - lastDate.at > 1000) {
    lastDate = { at: now, text: new Date(now).toUTCString() }
  }
  return lastDate.text
}

function answer({ method, path, query, size, md5 }, body) {
  const [, bucket, key = ''] = /^\/([^/]*)\/?(.*)$/.exec(path)
  const uploadId = query.get('uploadId')
  const isObject = key !== ''
  if (method === 'PUT' && uploadId !== null) {
    const number = Number(query.get('partNumber'))
    const part = {
      size,
      etag: etagOf(number, md5),
      crc64: crc64Of(key, size, number),
    }
    const upload = uploads.get(uploadId)
    if (upload === undefined) return noUpload
    upload.set(number, part)
    return { headers: receipt(part) }
  }
  if (method === 'POST' && query.has('uploads')) {
    const id = `upload-${++uploadsBegun}`
    uploads.set(id, new Map())
    return {
      xml: `<InitiateMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${key}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    }
  }
  if (method === 'POST' && uploadId !== null) {
    const upload = uploads.get(uploadId)
    if (upload === undefined) return noUpload
    return complete({ bucket, key, uploadId, upload }, body)
  }
  if (method === 'GET' && uploadId !== null) {
    const upload = uploads.get(uploadId)
    return upload === undefined
      ? noUpload
      : listParts({ bucket, key, uploadId, upload, query })
  }
  if (method === 'GET' && query.has('uploads')) {
    return {
      xml: `<ListMultipartUploadsResult><Bucket>${bucket}</Bucket><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>`,
    }
  }
  if (method === 'GET' && !isObject) return ofBucket(bucket, query)
  if (method === 'DELETE') {
    if (uploadId === null) objects.delete(path)
    else uploads.delete(uploadId)
    return { status: 204 }
  }
  if (method === 'PUT' && isObject) {
    const object = { size, etag: etagOf(1, md5), crc64: crc64Of(key, size, 1) }
    objects.set(path, object)
    return { headers: receipt(object) }
  }
  if (method === 'HEAD' && isObject) {
    const object = objects.get(path)
    if (object === undefined) return { status: 404 }
    const headers = { ...receipt(object), 'Last-Modified': date() }
    return { headers, length: object.size }
  }
  return {}
}

/** Nothing is ever listed: every client sends all of its files. */
function ofBucket(bucket, query) {
  return query.has('location')
    ? { xml: '<LocationConstraint>us-east-1</LocationConstraint>' }
    : {
        xml: `<ListBucketResult><Name>${bucket}</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>`,
      }
}

const noUpload = {
  status: 404,
  xml: '<Error><Code>NoSuchUpload</Code><Message>no such upload</Message></Error>',
}

function etagOf(number, md5) {
  return md5 === undefined
    ? number.toString(16).padStart(32, '0')
    : Buffer.from(md5, 'base64').toString('hex')
}

function crc64Of(key, size, number) {
  if (!key.startsWith('crc/')) return undefined
  const table = crc64Table[size]
  return table?.[(number - 1) % table.length]
}

function receipt({ etag, crc64 }) {
  const headers = { ETag: `"${etag}"` }
  if (crc64 !== undefined) headers['x-oss-hash-crc64ecma'] = crc64
  return headers
}

function complete({ bucket, key, uploadId, upload }) {
  uploads.delete(uploadId)
  const parts = [...upload].toSorted(([a], [b]) => a - b).map(([, p]) => p)
  const size = parts.reduce((sum, part) => sum + part.size, 0)
  const isCrcKnown = parts.every(({ crc64 }) => crc64 !== undefined)
  const object = {
    size,
    etag: multipartEtag(parts.map(({ etag }) => etag)),
    crc64: isCrcKnown ? combineCrc64('crc64ecma', parts) : undefined,
  }
  objects.set(`/${bucket}/${key}`, object)
  const { 'x-oss-hash-crc64ecma': crc64 } = receipt(object)
  return {
    headers: crc64 === undefined ? {} : { 'x-oss-hash-crc64ecma': crc64 },
    xml: `<CompleteMultipartUploadResult><Location>/${bucket}/${key}</Location><Bucket>${bucket}</Bucket><Key>${key}</Key><ETag>"${object.etag}"</ETag></CompleteMultipartUploadResult>`,
  }
}

function listParts({ bucket, key, uploadId, upload, query }) {
  const after = Number(query.get('part-number-marker') ?? 0)
  const most = Number(query.get('max-parts') ?? 1000)
  const numbers = [...upload.keys()]
    .filter((number) => number > after)
    .toSorted((a, b) => a - b)
  const page = numbers.slice(0, most)
  const isTruncated = page.length < numbers.length
  const parts = page.map((number) => {
    const { size, etag, crc64 } = upload.get(number)
    const crc =
      crc64 === undefined ? '' : `<HashCrc64ecma>${crc64}</HashCrc64ecma>`
    return `<Part><PartNumber>${number}</PartNumber><LastModified>2025-01-01T00:00:00.000Z</LastModified><ETag>"${etag}"</ETag>${crc}<Size>${size}</Size></Part>`
  })
  return {
    xml: `<ListPartsResult><Bucket>${bucket}</Bucket><Key>${key}</Key><UploadId>${uploadId}</UploadId><PartNumberMarker>${after}</PartNumberMarker><NextPartNumberMarker>${page.at(-1) ?? after}</NextPartNumberMarker><MaxParts>${most}</MaxParts><IsTruncated>${isTruncated}</IsTruncated>${parts.join('')}</ListPartsResult>`,
  }
}
