/** The calls of an object store over HTTP, in terms of a {@link Dialect}. */
import type { HttpAnswer } from './answer.js'
import { parseDate } from './clock.js'
import { completeBody } from './complete-body.js'
import { type Dialect, remembered } from './dialect.js'
import { invalidOption } from '../errors.js'
import {
  hasOpaqueEtag,
  readEtag,
  readNumber,
  readVersionId,
  unquotedEtag,
} from './fields.js'
import {
  readBegunUpload,
  readPartPage,
  readUploadPage,
  type BegunUpload,
} from './listings.js'
import { fitsMark, markHeaders, markName, readMark } from './metadata.js'
import { checkKey } from './names.js'
import type {
  AbortUploadRequest,
  BodyRequest,
  Call,
  CompleteUploadRequest,
  CreatedUpload,
  CreateUploadRequest,
  GetObjectRequest,
  ListPartsRequest,
  ListUploadsRequest,
  ObjectHead,
  ObjectOptions,
  ObjectReceipt,
  ObjectStore,
  PartPage,
  PartReceipt,
  PutObjectRequest,
  StoreDigest,
  StoredObject,
  StoreLimits,
  UploadPage,
  UploadPartRequest,
} from './object-store.js'
import type { Query } from './percent-encode.js'
import { checkRate } from './rate.js'
import {
  callbackBytes,
  outgoing,
  pageBytes,
  type Operation,
  type Session,
} from './session.js'
import { errorBytes, isErrorDocument } from './server-error.js'
import { StoreError } from './store-error.js'
import { isPlace, otherPlaceText } from './told-place.js'
import { parseXml, trimmedText } from './xml.js'

/** Parts of one page, on both services. */
const mostListed = 1000
/** A header of OpenStack's, on every answer of Swift. */
const swiftHeader = 'x-openstack-request-id'

export class RestStore implements ObjectStore {
  readonly identity: string
  readonly bucket: string
  readonly limits: StoreLimits
  readonly digest: StoreDigest
  readonly precedence: 'initiate' | undefined
  readonly maxRate: number | undefined
  readonly #dialect: Dialect
  readonly #session: Session
  readonly #headersOf: Dialect['objectHeaders']
  /** By an answer of it. */
  #isSwift = false

  constructor(
    dialect: Dialect,
    session: Session,
    place: {
      identity: string
      bucket: string
      maxRate?: number | undefined
      maxParts?: number | undefined
    },
  ) {
    this.#dialect = dialect
    this.#headersOf = remembered(dialect)
    this.#session = session
    this.identity = place.identity
    this.bucket = place.bucket
    this.limits = withMostParts(dialect.limits, place.maxParts)
    this.digest = dialect.digest
    this.precedence = dialect.precedence
    this.maxRate = checkRate(place.maxRate)
  }

  get takesLateParts(): boolean {
    return this.#isSwift
  }

  fixedHeaders(object: ObjectOptions): Record<string, string> {
    return this.#headersOf(object).fixed
  }

  sentHeaders(object: ObjectOptions): Record<string, string> {
    const { put, complete } = this.#headersOf(object)
    return { ...put, ...complete }
  }

  canMark(object: ObjectOptions): boolean {
    return fitsMark(object.metadata, this.#dialect.metadataRules)
  }

  async createUpload(
    { key, object, sequential = false, mark }: CreateUploadRequest,
    call: Call,
  ): Promise<CreatedUpload> {
    const { fixed, initiate } = this.#headersOf(object)
    const extra: Query = sequential ? [['sequential', '']] : []
    const operation = this.#operation(call, {
      name: 'InitiateMultipartUpload',
      method: 'POST',
      key,
      query: [['uploads', ''], ...this.#dialect.initiateQuery, ...extra],
      headers: { ...fixed, ...initiate, ...this.#markHeaders(mark) },
      content: Buffer.alloc(0),
      fields: { key },
    })
    const { begun, date } = await this.#read(
      operation,
      call,
      ({ body, headers }) => ({
        begun: readBegunUpload(body),
        date: parseDate(headers['date']),
      }),
    )
    const { isOwnDomain } = this.#dialect
    const meant = { bucket: this.bucket, key, isOwnDomain }
    if (!isPlace(begun, meant)) throw await this.#elsewhere(begun, key, call)
    return { uploadId: begun.uploadId, date }
  }

  /** Nothing is sent to an upload of another object, and none is left there. */
  async #elsewhere(
    { uploadId, ...told }: BegunUpload,
    key: string,
    call: Call,
  ): Promise<StoreError> {
    const left = await this.abortUpload({ key, uploadId }, call).then(
      () => '',
      () =>
        ` The upload ${uploadId} that was begun there could not be aborted.`,
    )
    const text = otherPlaceText(told, { bucket: this.bucket, key })
    const kind = 'no-bucket'
    return new StoreError(text + left, { kind, key, uploadId })
  }

  async uploadPart(
    request: UploadPartRequest,
    call: Call,
  ): Promise<PartReceipt> {
    const { key, uploadId, partNumber } = request
    const operation = this.#operation(call, {
      name: 'UploadPart',
      method: 'PUT',
      key,
      query: [
        ['partNumber', String(partNumber)],
        ['uploadId', uploadId],
      ],
      headers: { ...this.#touching(call), ...this.#bodyHeaders(request) },
      ...outgoing(request),
      fields: { key, uploadId, partNumber },
    })
    return this.#read(operation, call, ({ headers }) => ({
      etag: readEtag(headers['etag']),
      crc64: this.#dialect.readCrc(headers[this.#dialect.crcHeader]),
      ...this.#opacity(headers, call.object),
    }))
  }

  async listParts(
    { key, uploadId, after = 0, most = mostListed }: ListPartsRequest,
    call: Call,
  ): Promise<PartPage> {
    const operation = this.#operation(call, {
      name: 'ListParts',
      method: 'GET',
      key,
      query: [
        ['uploadId', uploadId],
        ['max-parts', String(Math.min(most, mostListed))],
        ['part-number-marker', String(after)],
        ...this.#dialect.listPartsQuery,
      ],
      headers: this.#touching(call),
      maxAnswerBytes: pageBytes,
      fields: { key, uploadId },
    })
    return this.#read(operation, call, ({ body }) =>
      readPartPage(body, after, this.#dialect),
    )
  }

  async completeUpload(
    request: CompleteUploadRequest,
    call: Call,
  ): Promise<ObjectReceipt> {
    const { key, uploadId, parts, object } = request
    const withCallback = object.callback !== undefined
    const { complete, touching } = this.#headersOf(object)
    const content = completeBody(parts, this.#dialect.xmlNamespace)
    const operation = this.#operation(call, {
      name: 'CompleteMultipartUpload',
      method: 'POST',
      key,
      query: [['uploadId', uploadId], ...this.#dialect.completeQuery],
      headers: {
        'content-type': 'application/xml',
        ...touching,
        ...complete,
        ...this.#dialect.completeHeaders(request),
      },
      content,
      withCallback,
      ...(withCallback ? { maxAnswerBytes: callbackBytes } : {}),
      fields: { key, uploadId },
    })
    return this.#read(operation, call, (answer) =>
      withCallback
        ? this.#callbackReceipt(operation, answer, object)
        : this.#completedReceipt(answer, object),
    )
  }

  async abortUpload(
    { key, uploadId }: AbortUploadRequest,
    call: Call,
  ): Promise<void> {
    const operation = this.#operation(call, {
      name: 'AbortMultipartUpload',
      method: 'DELETE',
      key,
      query: [['uploadId', uploadId]],
      headers: {},
      fields: { key, uploadId },
    })
    try {
      await this.#session.send(operation, call)
    } catch (error) {
      if (!(error instanceof StoreError && error.kind === 'no-upload')) {
        throw error
      }
    }
  }

  async listUploads(
    { prefix = '', keyMarker = '', uploadIdMarker = '' }: ListUploadsRequest,
    call: Call,
  ): Promise<UploadPage> {
    const optional: Query = [
      ['prefix', prefix],
      ['key-marker', keyMarker],
      ['upload-id-marker', uploadIdMarker],
    ]
    const operation = this.#operation(call, {
      name: 'ListMultipartUploads',
      method: 'GET',
      query: [
        ['uploads', ''],
        ['max-uploads', '200'],
        ...this.#dialect.listUploadsQuery,
        ...optional.filter(([, value]) => value !== ''),
      ],
      headers: {},
      maxAnswerBytes: pageBytes,
      fields: {},
    })
    return this.#read(operation, call, (answer) => ({
      ...readUploadPage(answer.body, { prefix, keyMarker, uploadIdMarker }),
      date: this.#session.serverTime(answer),
    }))
  }

  async putObject(
    request: PutObjectRequest,
    call: Call,
  ): Promise<ObjectReceipt> {
    const { key, object, mark } = request
    const withCallback = object.callback !== undefined
    const { fixed, put } = this.#headersOf(object)
    const operation = this.#operation(call, {
      name: 'PutObject',
      method: 'PUT',
      key,
      query: [],
      headers: {
        ...fixed,
        ...put,
        ...this.#markHeaders(mark),
        ...this.#bodyHeaders(request),
      },
      ...outgoing(request),
      withCallback,
      ...(withCallback ? { maxAnswerBytes: callbackBytes } : {}),
      fields: { key },
    })
    return this.#read(operation, call, (answer) =>
      withCallback
        ? this.#callbackReceipt(operation, answer, object)
        : this.#receipt(answer, object),
    )
  }

  async headObject(key: string, call: Call): Promise<ObjectHead | undefined> {
    const operation = this.#operation(call, {
      name: 'HeadObject',
      method: 'HEAD',
      key,
      query: [],
      headers: { ...this.#dialect.headHeaders, ...this.#touching(call) },
      fields: { key },
    })
    return noneIfMissing(() =>
      this.#read(operation, call, (answer) => ({
        ...this.#head(answer),
        size: readNumber(answer.headers['content-length'], 'size'),
      })),
    )
  }

  async getObject(
    { key, maxBytes }: GetObjectRequest,
    call: Call,
  ): Promise<StoredObject | undefined> {
    const operation = this.#operation(call, {
      name: 'GetObject',
      method: 'GET',
      key,
      query: [],
      headers: this.#touching(call),
      // A refusal's own words need room too.
      maxAnswerBytes: Math.max(maxBytes, errorBytes),
      fields: { key },
    })
    return noneIfMissing(() =>
      this.#read(operation, call, (answer) => {
        const { length: size } = answer.body
        if (size > maxBytes) {
          throw new StoreError(
            `The server's answer is longer than ${maxBytes} bytes.`,
            { kind: 'response' },
          )
        }
        const date = this.#session.serverTime(answer)
        return { ...this.#head(answer), size, bytes: answer.body, date }
      }),
    )
  }

  async deleteObject(key: string, call: Call): Promise<void> {
    const operation = this.#operation(call, {
      name: 'DeleteObject',
      method: 'DELETE',
      key,
      query: [],
      headers: {},
      fields: { key },
    })
    await noneIfMissing(() => this.#session.send(operation, call))
  }

  async close(): Promise<void> {
    this.#session.close()
  }

  /** Checks what every call has in common, and adds it. */
  #operation(call: Call, operation: Operation): Operation {
    if (operation.key !== undefined) {
      checkKey(operation.key, this.limits)
    }
    const headers: Record<string, string> = { ...operation.headers }
    if (call.requestPayer !== undefined) {
      headers[`${this.#dialect.prefix}request-payer`] = call.requestPayer
    }
    if (operation.content !== undefined) {
      headers['content-length'] = String(operation.content.length)
    }
    return { ...operation, headers }
  }

  #markHeaders(mark: string | undefined): Record<string, string> {
    return markHeaders(mark, this.#dialect.metadataRules)
  }

  #touching({ object }: Call): Record<string, string> {
    return object === undefined ? {} : this.#headersOf(object).touching
  }

  /** By the answer or, as not every server says it, by what was asked for. */
  #opacity(
    answered: Readonly<Record<string, string>>,
    object: ObjectOptions | undefined,
  ): { isOpaque?: true } {
    const asked = object === undefined ? {} : this.fixedHeaders(object)
    const { prefix } = this.#dialect
    return hasOpaqueEtag(answered, prefix) || hasOpaqueEtag(asked, prefix)
      ? { isOpaque: true }
      : {}
  }

  #bodyHeaders(request: BodyRequest): Record<string, string> {
    return {
      'content-length': String(request.size),
      ...(request.md5 === undefined ? {} : { 'content-md5': request.md5 }),
      ...this.#dialect.bodyHeaders(request),
    }
  }

  /** Sends, and reads the answer; a reader's failure says which call it was. */
  async #read<T>(
    operation: Operation,
    call: Call,
    reader: (answer: HttpAnswer) => T,
  ): Promise<T> {
    const answer = await this.#session.send(operation, call)
    this.#isSwift ||= answer.headers[swiftHeader] !== undefined
    try {
      return reader(answer)
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind !== 'response') {
        throw error
      }
      const what = error.message.replace(/^The server's answer /, 'the answer ')
      throw this.#session.unusable(operation, call, what.replace(/\.$/, ''))
    }
  }

  #receipt(
    { headers }: HttpAnswer,
    object: ObjectOptions | undefined,
  ): ObjectReceipt {
    return {
      etag: unquotedEtag(headers['etag']),
      crc64: this.#dialect.readCrc(headers[this.#dialect.crcHeader]),
      versionId: readVersionId(headers[`${this.#dialect.prefix}version-id`]),
      ...this.#opacity(headers, object),
    }
  }

  #head(answer: HttpAnswer): Omit<ObjectHead, 'size'> {
    const { prefix } = this.#dialect.metadataRules
    return {
      ...this.#receipt(answer, undefined),
      lastModified: parseDate(answer.headers['last-modified']),
      mark: readMark(answer.headers[prefix + markName]),
    }
  }

  /** The ETag is in the XML; some servers leave it empty there. */
  #completedReceipt(answer: HttpAnswer, object: ObjectOptions): ObjectReceipt {
    const receipt = this.#receipt(answer, object)
    const { element } = parseXml(answer.body, ['CompleteMultipartUploadResult'])
    const crc64 = this.#dialect.readCrc(
      trimmedText(element, this.#dialect.crcElement),
    )
    return {
      ...receipt,
      etag: unquotedEtag(trimmedText(element, 'ETag')) || receipt.etag,
      crc64: receipt.crc64 ?? crc64,
    }
  }

  /** The body is the callback server's, or says that it was not reached. */
  #callbackReceipt(
    operation: Operation,
    answer: HttpAnswer,
    object: ObjectOptions,
  ): ObjectReceipt {
    const receipt = this.#receipt(answer, object)
    const { status, body } = answer
    return status === 203 || status >= 300 || isErrorDocument(body)
      ? {
          ...receipt,
          callbackFailed: this.#session.describe(operation, answer),
        }
      : { ...receipt, callbackBody: body.toString('utf8') }
  }
}

/** Of a server that takes fewer than the service does. */
function withMostParts(
  limits: StoreLimits,
  most: number = limits.maxParts,
): StoreLimits {
  if (Number.isSafeInteger(most) && most >= 1 && most <= limits.maxParts) {
    return { ...limits, maxParts: most }
  }
  return invalidOption(
    `maxParts: expected a whole number from 1 to ${limits.maxParts}, not ${JSON.stringify(most)}.`,
  )
}

/** Undefined where the server says that there is no such object. */
async function noneIfMissing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof StoreError && error.kind === 'no-key') return undefined
    throw error
  }
}
