import { apiError } from '../wire/api-error.js'

/**
 * Takes the `aws-chunked` framing off a body:
 * `hex-size[;extension] CRLF data CRLF … 0 CRLF [name:value CRLF …] CRLF`.
 * Trailers are put into `trailers` before the iteration ends.
 */
export async function* decodeAwsChunked(
  body: AsyncIterable<Buffer>,
  trailers: Map<string, string>,
): AsyncGenerator<Buffer> {
  let pending: Buffer = Buffer.alloc(0)
  /** Data bytes of the present chunk still to come; 0: a line is next. */
  let left = 0
  let state: 'size' | 'data' | 'data-end' | 'trailer' | 'done' = 'size'
  for await (const chunk of body) {
    let rest = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    pending = Buffer.alloc(0)
    while (rest.length > 0 && state !== 'done') {
      if (state === 'data') {
        const data = rest.subarray(0, left)
        left -= data.length
        rest = rest.subarray(data.length)
        if (left === 0) state = 'data-end'
        yield data
        continue
      }
      const end = rest.indexOf('\r\n')
      if (end < 0) {
        if (rest.length > 16_384) malformed()
        break
      }
      const line = rest.toString('latin1', 0, end)
      rest = rest.subarray(end + 2)
      if (state === 'data-end') {
        if (line !== '') malformed()
        state = 'size'
      } else if (state === 'size') {
        left = chunkSize(line)
        state = left === 0 ? 'trailer' : 'data'
      } else if (line === '') {
        state = 'done'
      } else {
        addTrailer(line, trailers)
      }
    }
    pending = rest
  }
  // Some clients leave out the last empty line when there are no trailers.
  if (state !== 'done' && !(state === 'trailer' && pending.length === 0)) {
    malformed()
  }
}

function chunkSize(line: string): number {
  const hex = /^([0-9a-fA-F]{1,12})(?:;|$)/.exec(line)?.[1]
  return hex === undefined ? malformed() : parseInt(hex, 16)
}

function addTrailer(line: string, trailers: Map<string, string>): void {
  const colon = line.indexOf(':')
  if (colon < 1) malformed()
  const name = line.slice(0, colon).trim().toLowerCase()
  trailers.set(name, line.slice(colon + 1).trim())
}

function malformed(): never {
  return apiError('IncompleteBody', {
    message: 'The aws-chunked body is malformed.',
  })
}
