import type { Claim } from '../auth/claim.js'
import type { RequestBody } from './request-body.js'
import { apiError, invalidArgument } from '../wire/api-error.js'
import type { Dialect } from '../wire/dialect.js'
import { header, type RequestHead } from '../wire/request-head.js'
import { decodeAwsChunked } from './aws-chunked.js'
import {
  checksumHeader,
  givenChecksum,
  toAlgorithm,
  trailingAlgorithm,
  type ChecksumAlgorithm,
} from './checksum-headers.js'
import { hexToBase64, type DigestName, type Digests } from './digests.js'

const maxBody = 5 * 2 ** 30

/**
 * The bytes that a request carries, without their framing, and everything that
 * was promised about them. Made from the head, so that a bad promise is refused
 * before the body is read.
 */
export class Payload {
  readonly chunks: AsyncIterable<Buffer>
  /** Digests that `verify` needs. */
  readonly digests: ReadonlySet<DigestName>
  /** The S3 checksum that comes with the body. */
  readonly algorithm: ChecksumAlgorithm | undefined
  readonly #head: RequestHead
  readonly #dialect: Dialect
  readonly #sha256: string | undefined
  readonly #size: number | undefined
  readonly #trailers = new Map<string, string>()

  /**
   * With `isAboutObject` the body is a document, and checksum headers speak of
   * the object that it is about.
   */
  constructor(
    head: RequestHead,
    dialect: Dialect,
    claim: Claim,
    body: RequestBody,
    isAboutObject = false,
  ) {
    const { headers } = head
    this.#head = head
    this.#dialect = dialect
    const isChunked = claim.payload.startsWith('STREAMING-')
    if (isChunked && claim.payload !== 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') {
      apiError('NotImplemented', {
        message: `${claim.payload} is not implemented.`,
      })
    }
    this.chunks = isChunked ? decodeAwsChunked(body, this.#trailers) : body
    this.#size = sizeOf(head, isChunked)
    if (this.#size !== undefined && this.#size > maxBody) {
      apiError('EntityTooLarge', {
        extra: {
          MaxSizeAllowed: String(maxBody),
          ProposedSize: String(this.#size),
        },
      })
    }
    this.#sha256 = /^[0-9a-f]{64}$/i.test(claim.payload)
      ? claim.payload.toLowerCase()
      : undefined
    this.algorithm = isAboutObject
      ? undefined
      : (givenChecksum(headers)?.algorithm ??
        trailingAlgorithm(headers) ??
        toAlgorithm(header(headers, 'x-amz-sdk-checksum-algorithm')))
    this.digests = new Set<DigestName>([
      ...(header(headers, 'content-md5') === undefined ? [] : ['md5' as const]),
      ...(this.#sha256 === undefined ? [] : ['sha256' as const]),
      ...(this.algorithm === undefined ? [] : [this.algorithm]),
    ])
    checkMd5Form(header(headers, 'content-md5'))
  }

  /** `MissingContentLength` unless the size was said beforehand. */
  requireSize(): void {
    if (this.#size === undefined) apiError('MissingContentLength')
  }

  /** Compares the bytes that came with what was promised. */
  verify(size: number, digests: Digests): void {
    if (this.#size !== undefined && size !== this.#size) {
      apiError('IncompleteBody')
    }
    this.#verifyMd5(digests.md5)
    if (this.#sha256 !== undefined && digests.sha256 !== this.#sha256) {
      apiError('XAmzContentSHA256Mismatch', {
        extra: {
          ClientComputedContentSHA256: this.#sha256,
          S3ComputedContentSHA256: digests.sha256 ?? '',
        },
      })
    }
    const { algorithm } = this
    const computed = algorithm === undefined ? undefined : digests[algorithm]
    if (algorithm === undefined || computed === undefined) return
    const name = checksumHeader(algorithm)
    const { headers } = this.#head
    const given = header(headers, name) ?? this.#trailers.get(name)
    if (given === undefined && trailingAlgorithm(headers) !== undefined) {
      apiError('IncompleteBody', { message: 'The trailer is missing.' })
    }
    if (given !== undefined && given !== hexToBase64(computed)) {
      apiError('BadDigest', {
        message: `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
      })
    }
  }

  #verifyMd5(md5: string | undefined): void {
    const given = header(this.#head.headers, 'content-md5')?.trim()
    if (given === undefined || md5 === undefined) return
    const calculated = hexToBase64(md5)
    if (given === calculated) return
    apiError(this.#dialect.name === 's3' ? 'BadDigest' : 'InvalidDigest', {
      extra: { ExpectedDigest: given, CalculatedDigest: calculated },
    })
  }
}

function sizeOf({ headers }: RequestHead, isChunked: boolean) {
  const name = isChunked ? 'x-amz-decoded-content-length' : 'content-length'
  const text = header(headers, name)
  if (text === undefined) return undefined
  return /^\d{1,15}$/.test(text) ? Number(text) : invalidArgument(name, text)
}

function checkMd5Form(value: string | undefined): void {
  if (value === undefined) return
  const bytes = Buffer.from(value, 'base64')
  if (bytes.length !== 16 || bytes.toString('base64') !== value.trim()) {
    apiError('InvalidDigest', {
      message: 'The Content-MD5 you specified is invalid.',
      ec: '0017-00000502',
    })
  }
}
