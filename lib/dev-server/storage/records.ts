import type {
  ChecksumAlgorithm,
  ChecksumMode,
} from '../body/checksum-headers.js'
import { isRecord } from '../wire/read-xml.js'

/** What is kept about objects, uploads and parts; ETags and digests as hex. */

/** What a client asked an object to be, besides its bytes. */
export interface ObjectSettings {
  /** `content-type`, `cache-control` and the like. */
  readonly headers: Readonly<Record<string, string>>
  /** User metadata by lower-case name without prefix. */
  readonly metadata: Readonly<Record<string, string>>
  /** Headers of server-side encryption without the dialect's prefix. */
  readonly encryption: Readonly<Record<string, string>>
  /** Of a key of the caller's own, base64. */
  readonly customerKeyMd5?: string
  readonly storageClass?: string
  readonly acl?: string
  readonly tags?: readonly Tag[]
}

export interface Tag {
  readonly key: string
  readonly value: string
}

export interface StoredChecksum extends ChecksumMode {
  /** As S3 writes it: base64, with `-N` when composite. */
  readonly value: string
}

export interface ObjectRecord {
  readonly bucket: string
  readonly key: string
  readonly size: number
  /** Lower case, without quotes. */
  readonly etag: string
  readonly type: 'Normal' | 'Multipart'
  /** Hex; absent when digests are switched off. */
  readonly crc64?: string
  /** Hex, of objects in one piece. */
  readonly md5?: string
  readonly checksum?: StoredChecksum
  /** What it was joined from; absent of objects in one piece. */
  readonly parts?: readonly JoinedPart[]
  /** Of the upload that it was; a repeated Complete is known by it. */
  readonly uploadId?: string
  /** ms since 1970 */
  readonly time: number
  readonly settings: ObjectSettings
  /** File name of the bytes; absent when they were discarded. */
  readonly data?: string
}

/** A part of a finished object. */
export interface JoinedPart {
  readonly partNumber: number
  readonly size: number
  /** Base64, by the object's checksum algorithm. */
  readonly checksum?: string
}

export interface UploadRecord {
  readonly uploadId: string
  readonly bucket: string
  readonly key: string
  /** ms since 1970 */
  readonly time: number
  readonly sequential: boolean
  readonly settings: ObjectSettings
  readonly checksum?: ChecksumMode
}

export interface PartRecord {
  readonly partNumber: number
  readonly size: number
  readonly etag: string
  readonly crc64?: string
  readonly checksum?: { algorithm: ChecksumAlgorithm; hex: string }
  /** Grows with each part stored, µs since 1970 when it can. */
  readonly sequence: number
}

/** Is a value read from disk such a record? Looks at what all of them have. */
export function isObjectRecord(value: unknown): value is ObjectRecord {
  return (
    hasNames(value) &&
    typeof value['etag'] === 'string' &&
    typeof value['size'] === 'number' &&
    typeof value['time'] === 'number'
  )
}

/** Is a value read from disk such a record? Looks at what all of them have. */
export function isUploadRecord(value: unknown): value is UploadRecord {
  return hasNames(value) && typeof value['uploadId'] === 'string'
}

function hasNames(value: unknown): value is Record<string, unknown> {
  return (
    isRecord(value) &&
    typeof value['bucket'] === 'string' &&
    typeof value['key'] === 'string' &&
    isRecord(value['settings'])
  )
}
