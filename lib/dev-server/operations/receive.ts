import { rm } from 'node:fs/promises'
import { checksumHeader } from '../body/checksum-headers.js'
import {
  DigestSet,
  hexToBase64,
  hexToDecimal,
  type DigestName,
  type Digests,
} from '../body/digests.js'
import { Payload } from '../body/payload.js'
import { Throttle } from '../body/throttle.js'
import type { Blob } from '../storage/receive-blob.js'
import { apiError, invalidArgument } from '../wire/api-error.js'
import { ownHeader, type Context } from './context.js'

const minTrafficLimit = 245_760
const maxTrafficLimit = 838_860_800
const maxText = 16 * 1024 * 1024

/**
 * Receives the body of a part or object, compares it with what was promised and
 * gives it to `commit`; if either throws, no byte of it stays.
 */
export async function receive<T>(
  context: Context,
  payload: Payload,
  digests: Iterable<DigestName>,
  commit: (blob: Blob) => T,
): Promise<T> {
  limitTraffic(context)
  const blob = await context.storage.receive(payload.chunks, [
    ...payload.digests,
    ...digests,
  ])
  try {
    payload.verify(blob.size, blob.digests)
    const result = commit(blob)
    context.applied()
    return result
  } catch (error) {
    if (blob.path !== undefined) await rm(blob.path, { force: true })
    throw error
  }
}

/** The bytes of a part or object, with what is promised about them. */
export function payloadOf(context: Context): Payload {
  const { head, dialect, claim, body } = context
  return new Payload(head, dialect, claim, body)
}

/**
 * A body that is to be parsed, whole and verified; with `isAboutObject` the
 * request's checksums are not the body's.
 */
export async function readText(
  context: Context,
  isAboutObject = false,
): Promise<string> {
  const { head, dialect, claim, body } = context
  const payload = new Payload(head, dialect, claim, body, isAboutObject)
  const digests = await DigestSet.create(payload.digests)
  try {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of payload.chunks) {
      size += chunk.length
      if (size > maxText) apiError('MalformedXML')
      digests.update(chunk)
      chunks.push(chunk)
    }
    payload.verify(size, digests.finish())
    return Buffer.concat(chunks).toString()
  } finally {
    digests.release()
  }
}

/** Digests of received bytes as headers of the answer. */
export function digestHeaders(
  { dialect }: Context,
  payload: Payload,
  digests: Digests,
): Record<string, string> {
  const { md5, crc64ecma } = digests
  const headers: Record<string, string> = {}
  if (dialect.name === 'oss') {
    if (md5 !== undefined) headers['content-md5'] = hexToBase64(md5)
    if (crc64ecma !== undefined) {
      headers['x-oss-hash-crc64ecma'] = hexToDecimal(crc64ecma)
    }
  }
  const { algorithm } = payload
  const checksum = algorithm === undefined ? undefined : digests[algorithm]
  if (algorithm !== undefined && checksum !== undefined) {
    headers[checksumHeader(algorithm)] = hexToBase64(checksum)
  }
  return headers
}

/** OSS: bits a second, as a header or a query parameter. */
function limitTraffic(context: Context): void {
  const { dialect, head, body } = context
  if (dialect.name !== 'oss') return
  const name = 'x-oss-traffic-limit'
  const text = ownHeader(context, 'traffic-limit') ?? head.query.get(name)
  if (text === undefined) return
  const bits = Number(text)
  if (!/^\d+$/.test(text) || bits < minTrafficLimit || bits > maxTrafficLimit) {
    invalidArgument(name, text)
  }
  body.addThrottle(new Throttle(bits / 8))
}
