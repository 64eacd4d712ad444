import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  createResumableUploadStream,
  UploadError,
  type ResumableUploadStream,
  type UploadResult,
  type UploadStreamOptions,
} from 'pawl'

/** What a URL answers with, as an object; never on a disk. */
export async function copyFromUrl(
  url: string,
  options: UploadStreamOptions,
): Promise<UploadResult> {
  const stop = new AbortController()
  let upload: ResumableUploadStream | undefined
  try {
    const whole = await get(url, stop.signal)
    const { etag, ...known } = revisionOf(url, whole)
    upload = createResumableUploadStream({ ...options, ...known })
    const offset = etag === undefined ? 0 : await storedOf(upload)
    let from = { body: bodyOf(whole), drop: 0 }
    if (etag !== undefined && offset > 0) {
      from.body.destroy()
      // There is nothing behind the last byte to ask for.
      from =
        offset === known.size
          ? { body: Readable.from([]), drop: 0 }
          : await rest(url, stop.signal, { etag, offset })
    }
    await pipeline(from.body, dropping(from.drop), upload)
    return await upload.result
  } finally {
    stop.abort()
    // Frees the log when no pipeline was reached; nothing after a result.
    await upload?.[Symbol.asyncDispose]()
  }
}

/** The bytes from an offset on, of that revision and of no other. */
async function rest(
  url: string,
  signal: AbortSignal,
  { etag, offset }: { etag: string; offset: number },
): Promise<{ body: Readable; drop: number }> {
  const answer = await get(url, signal, {
    range: `bytes=${offset}-`,
    'if-range': etag,
  })
  if (revisionOf(url, answer).etag !== etag) {
    throw new Error(
      `${new URL(url).pathname} changed meanwhile; run the same call again`,
    )
  }
  // A server without ranges sends everything again.
  if (answer.status === 200) return { body: bodyOf(answer), drop: offset }
  const range = answer.headers.get('content-range') ?? ''
  if (range.startsWith(`bytes ${offset}-`)) {
    return { body: bodyOf(answer), drop: 0 }
  }
  throw new Error(
    `${new URL(url).pathname}: asked for bytes from ${offset}, got "${range}"`,
  )
}

/** Where writing goes on: 0 when what is stored is of another revision. */
async function storedOf(upload: ResumableUploadStream): Promise<number> {
  try {
    return await upload.skipUploaded()
  } catch (error) {
    const isOther =
      error instanceof UploadError && error.code === 'PAWL_SOURCE_ID_REQUIRED'
    if (isOther) return 0
    throw error
  }
}

/** Only a strong ETag promises the same bytes. */
function revisionOf(
  url: string,
  { headers }: Response,
): { etag?: string; sourceId?: string; size?: number } {
  // Bytes that fetch has decompressed are not those that the server counts.
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') return {}
  const etag = headers.get('etag')
  const length = headers.get('content-length')
  const { origin, pathname } = new URL(url)
  return {
    ...(length === null ? {} : { size: Number(length) }),
    ...(etag?.startsWith('"') === true
      ? { etag, sourceId: `${origin}${pathname} ${etag}` }
      : {}),
  }
}

async function get(
  url: string,
  signal: AbortSignal,
  headers: Record<string, string> = {},
): Promise<Response> {
  const answer = await fetch(url, {
    signal,
    headers: { 'accept-encoding': 'identity', ...headers },
  })
  const isExpected =
    answer.status === 200 ||
    (answer.status === 206 && headers['range'] !== undefined)
  if (isExpected) return answer
  throw new Error(`${new URL(url).pathname} answered ${answer.status}`)
}

function bodyOf({ body }: Response): Readable {
  return body === null ? Readable.from([]) : Readable.fromWeb(body)
}

/** Drops so many bytes at the beginning. */
function dropping(count: number): Transform {
  let left = count
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      const from = Math.min(left, chunk.length)
      left -= from
      callback(null, chunk.subarray(from))
    },
  })
}
