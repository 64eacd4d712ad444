/**
 * Whether a file has the bytes of an object, told by what the server says of the
 * object: CRC-64, MD5, or the MD5 of the MD5s of parts. The file is read; no byte
 * is sent. What proves nothing is no proof.
 */
import { hasMd5 } from '../hash/md5.js'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Crc64Hashers } from '../hash/crc64.js'
import type { StoreDigest } from '../store/object-store.js'

/** What a server says of an object. */
export interface ObjectSight {
  /** Bytes. */
  size: number
  /** Without quotes. */
  etag: string
  crc64?: string | undefined
}

const mib = 1024 * 1024

/** Bytes of the parts that tools for S3 cut by default: this one, the AWS CLI; rclone. */
const usualParts = [8 * mib, 5 * mib]

const hashers = new Crc64Hashers()

export async function hasBytesOf(
  path: string,
  object: ObjectSight,
  { digest, partSize }: { digest: StoreDigest; partSize: number | undefined },
): Promise<boolean> {
  const { crc64, etag, size } = object
  if (
    crc64 !== undefined &&
    (digest === 'crc64ecma' || digest === 'crc64nvme')
  ) {
    const crc = await hashers.create(digest)
    for await (const chunk of chunksOf(path)) crc.update(chunk)
    return crc.digest() === crc64
  }
  const parts = partsOf(etag)
  if (parts === undefined || !hasMd5()) return false
  if (parts === 0) return (await md5Of(path, undefined)) === etag.toLowerCase()
  for (const cut of new Set([partSize ?? 0, ...usualParts])) {
    if (cut === 0 || Math.ceil(size / cut) !== parts) continue
    if ((await md5Of(path, cut)) === etag.toLowerCase()) return true
  }
  return false
}

/** How many parts an ETag is of, 0 for none; undefined when it is no MD5. */
function partsOf(etag: string): number | undefined {
  const match = /^[0-9a-f]{32}(?:-([1-9]\d{0,4}))?$/i.exec(etag)
  return match === null ? undefined : Number(match[1] ?? 0)
}

/** As an ETag spells it; of parts of so many bytes, or of the whole. */
async function md5Of(
  path: string,
  partSize: number | undefined,
): Promise<string> {
  const whole = createHash('md5')
  if (partSize === undefined) {
    for await (const chunk of chunksOf(path)) whole.update(chunk)
    return whole.digest('hex')
  }
  let parts = 0
  let part = createHash('md5')
  let room = partSize
  const close = (): void => {
    whole.update(part.digest())
    parts += 1
    part = createHash('md5')
    room = partSize
  }
  for await (const chunk of chunksOf(path)) {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + room)
      part.update(piece)
      at += piece.length
      room -= piece.length
      if (room === 0) close()
    }
  }
  if (room < partSize) close()
  return `${whole.digest('hex')}-${parts}`
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  const stream = createReadStream(path, { highWaterMark: mib })
  for await (const chunk of stream) {
    if (Buffer.isBuffer(chunk)) yield chunk
  }
}
