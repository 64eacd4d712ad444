import { createReadStream, openSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'
import { finished, pipeline } from 'node:stream/promises'
import { systemCode } from '../../realm.js'
import type { Reply } from './reply.js'

/** Writes an answer; resolves when it is sent or its connection is gone. */
export async function writeReply(
  response: ServerResponse,
  reply: Reply,
): Promise<void> {
  const { body } = reply
  const isBodyless = response.req.method === 'HEAD'
  if (typeof body === 'object' && !isBodyless && body.start < body.end) {
    // In this turn: in the next one the object may be another, without this file.
    const fd = openSync(body.path, 'r')
    response.writeHead(reply.status, headersOf(reply))
    const file = createReadStream(body.path, {
      fd,
      start: body.start,
      end: body.end - 1,
      highWaterMark: 1024 * 1024,
    })
    await untilGone(pipeline(file, response))
    return
  }
  response.writeHead(reply.status, headersOf(reply))
  response.end(typeof body === 'string' && !isBodyless ? body : undefined)
  await untilGone(finished(response, { readable: false }))
}

/**
 * Sends the first half of an answer and destroys the connection: half of the
 * body, or half of the head where there is no body.
 */
export async function writeHalf(
  response: ServerResponse,
  reply: Reply,
): Promise<void> {
  const { socket } = response
  const { body } = reply
  const hasBody = bodySize(reply) > 0 && response.req.method !== 'HEAD'
  if (socket === null) return
  if (!hasBody || body === undefined) {
    const head = headText(reply)
    await new Promise<void>((resolve) => {
      const half = head.slice(0, head.length / 2)
      socket.write(half, 'latin1', () => resolve())
    })
  } else {
    response.writeHead(reply.status, headersOf(reply))
    await untilGone(writeHalfBody(response, body))
  }
  socket.destroy()
}

async function writeHalfBody(
  response: ServerResponse,
  body: NonNullable<Reply['body']>,
): Promise<void> {
  if (typeof body === 'string') {
    const bytes = Buffer.from(body)
    await new Promise<void>((resolve) => {
      response.write(bytes.subarray(0, bytes.length / 2), () => resolve())
    })
    return
  }
  const half = Math.floor((body.end - body.start) / 2)
  if (half === 0) return
  const end = body.start + half - 1
  const fd = openSync(body.path, 'r')
  const file = createReadStream(body.path, { fd, start: body.start, end })
  await pipeline(file, response, { end: false })
}

function bodySize({ body }: Reply): number {
  if (body === undefined) return 0
  return typeof body === 'string'
    ? Buffer.byteLength(body)
    : body.end - body.start
}

/** Content-Length is added, but for 204 and 304 and where the reply brings its own. */
function headersOf(reply: Reply): Record<string, string> {
  const headers = { ...reply.headers }
  if (reply.status !== 204 && reply.status !== 304) {
    headers['content-length'] ??= String(bodySize(reply))
  }
  return headers
}

function headText(reply: Reply): string {
  const reason = STATUS_CODES[reply.status] ?? ''
  const lines = Object.entries(headersOf(reply)).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  return `HTTP/1.1 ${reply.status} ${reason}\r\n${lines.join('')}\r\n`
}

/** A client that goes away while it is answered is its own affair. */
async function untilGone(writing: Promise<void>): Promise<void> {
  try {
    await writing
  } catch (error) {
    const code = systemCode(error)
    const isGone = [
      'ERR_STREAM_PREMATURE_CLOSE',
      'ERR_STREAM_DESTROYED',
      'ECONNRESET',
      'EPIPE',
    ].includes(code)
    if (!isGone) throw error
  }
}
