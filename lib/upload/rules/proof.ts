/** ETags as stores spell them: quoted or not, upper case on OSS, lower on S3. */
import { createHash } from 'node:crypto'
import type { LogState, UploadState } from '../../checkpoint/fold.js'
import type {
  CompletingPutRecord,
  CompletingUploadRecord,
  DoneRecord,
  PartRecord,
} from '../../checkpoint/record.js'
import { combineCrc64 } from '../../hash/crc64.js'
import type { ObjectHead, ObjectReceipt } from '../../store/object-store.js'

/** As callers are told it: the server's own spelling, without quotes. */
export function unquoted(etag: string): string {
  return etag.trim().replace(/^"(.*)"$/, '$1')
}

/** Without quotes, in lower case; for comparing, never for sending back. */
export function bareEtag(etag: string): string {
  return unquoted(etag).toLowerCase()
}

export function sameEtag(a: string, b: string): boolean {
  return bareEtag(a) === bareEtag(b)
}

/** Whether it can be the MD5 of some bytes. */
export function isMd5Etag(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(bareEtag(etag))
}

/** The ETag that stores give an object of parts whose ETags are MD5s. */
export function multipartEtag(etags: readonly string[]): string {
  const hash = createHash('md5')
  for (const etag of etags) hash.update(Buffer.from(bareEtag(etag), 'hex'))
  return `${hash.digest('hex')}-${etags.length}`
}

/** A Content-MD5, which is base64, as ETags and logs spell it. */
export function md5Hex(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex')
}

/** What the log keeps of the ETags that a Complete names: SHA-256, hex. */
export function etagsDigest(etags: readonly string[]): string {
  return createHash('sha256').update(etags.join('\n')).digest('hex')
}

/** What an earlier run was about to make, or made, when it may be there. */
export function expectedObject(
  state: LogState,
):
  | { uploadId: string | undefined; is: (head: ObjectHead) => boolean }
  | undefined {
  const { put, upload } = state
  if (put !== undefined) {
    const { completing, done } = put
    return {
      uploadId: undefined,
      is: (head) => isPut(head, completing) || isDone(head, done),
    }
  }
  if (upload === undefined || upload.voided !== undefined) return undefined
  const { uploadId, parts, completing, done } = upload
  if (completing === undefined && done === undefined) return undefined
  const isCompleted = (head: ObjectHead): boolean =>
    completing !== undefined &&
    isThatObject(head, {
      size: completing.size,
      crc64: completing.crc64,
      etags: etagsOf(parts, completing.parts),
    })
  return { uploadId, is: (head) => isCompleted(head) || isDone(head, done) }
}

function isPut(
  head: ObjectHead,
  completing: CompletingPutRecord | undefined,
): boolean {
  if (completing?.md5 === undefined) return false
  return head.size === completing.size && sameEtag(head.etag, completing.md5)
}

/** What `done` alone says, should the `completing` before it be damaged. */
function isDone(head: ObjectHead, done: DoneRecord | undefined): boolean {
  return (
    done !== undefined &&
    head.size === done.size &&
    sameEtag(head.etag, done.etag)
  )
}

/**
 * Whether an object is the one that a Complete would have made. Size alone is
 * never proof: its CRC-64 must be equal, or its ETag the one that the parts'
 * MD5s give.
 */
export function isThatObject(
  head: ObjectHead,
  expected: {
    size: number
    crc64?: string | undefined
    etags: readonly string[] | undefined
  },
): boolean {
  if (head.size !== expected.size) return false
  if (head.crc64 !== undefined && expected.crc64 !== undefined) {
    return head.crc64 === expected.crc64
  }
  if (expected.etags === undefined || !expected.etags.every(isMd5Etag)) {
    return false
  }
  return sameEtag(head.etag, multipartEtag(expected.etags))
}

/** The ETags of parts 1 to n, when the log has every one of them. */
export function etagsOf(
  parts: ReadonlyMap<number, PartRecord>,
  count: number,
): string[] | undefined {
  const etags: string[] = []
  for (let number = 1; number <= count; number++) {
    const part = parts.get(number)
    if (part === undefined) return undefined
    etags.push(part.etag)
  }
  return etags
}

/**
 * Whether the log's parts are the ones that a Complete named. `replaced`: a later
 * run has stored others since, so they say nothing of that Complete's object.
 * `unknown`: some are lost to damage.
 */
export function partsNow(
  { parts }: Pick<UploadState, 'parts'>,
  completing: CompletingUploadRecord,
): 'same' | 'replaced' | 'unknown' {
  const etags = etagsOf(parts, completing.parts)
  if (etags === undefined) return 'unknown'
  return etagsDigest(etags) === completing.etagsDigest ? 'same' : 'replaced'
}

/** The CRC-64 of the parts together; undefined when one of them has none. */
export function combinedCrc64(
  variant: 'crc64ecma' | 'crc64nvme',
  parts: readonly { size: number; crc64?: string | undefined }[],
): string | undefined {
  const pieces: { size: number; crc64: string }[] = []
  for (const { size, crc64 } of parts) {
    if (crc64 === undefined) return undefined
    pieces.push({ size, crc64 })
  }
  return combineCrc64(variant, pieces)
}

/** What the server's word on the object is worth. */
export function checkObject(
  receipt: ObjectReceipt,
  expected: { etags: readonly string[]; crc64: string | undefined },
): 'crc64' | 'md5' | 'none' | 'wrong' {
  if (receipt.crc64 !== undefined && expected.crc64 !== undefined) {
    return receipt.crc64 === expected.crc64 ? 'crc64' : 'wrong'
  }
  const { etags } = expected
  if (!etags.every(isMd5Etag)) return 'none'
  // Another ETag proves nothing: not every store makes it of the parts' MD5s.
  return sameEtag(receipt.etag, multipartEtag(etags)) ? 'md5' : 'none'
}

/** What the object must be, to be ours. */
export interface Expected {
  size: number
  /** Hex. */
  md5: string
  crc64: string | undefined
}

/** What proves the object to be ours; its size alone never does. */
export function proofOf(
  head: ObjectHead,
  { size, md5, crc64 }: Expected,
): 'crc64' | 'md5' | undefined {
  if (head.size !== size) return undefined
  if (head.crc64 !== undefined && crc64 !== undefined) {
    return head.crc64 === crc64 ? 'crc64' : undefined
  }
  return isMd5Etag(head.etag) && sameEtag(head.etag, md5) ? 'md5' : undefined
}
