/** The calls of an object store over HTTP, in terms of a {@link Dialect}. */
import type { HttpAnswer } from './answer.js'
import { parseDate } from './clock.js'
import { completeBody } from './complete-body.js'
import type { Dialect } from './dialect.js'
import { unquotedEtag, readEtag, readNumber, readVersionId } from './fields.js'
import { readPartPage, readUploadIdAnswer, readUploadPage } from './listings.js'
import { checkKey } from './names.js'
import type {
  AbortUploadRequest,
  BodyRequest,
  Call,
  CompleteUploadRequest,
  CreatedUpload,
  CreateUploadRequest,
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
  StoreLimits,
  UploadPage,
  UploadPartRequest,
} from './object-store.js'
import type { Query } from './percent-encode.js'
import { listBytes, type Operation, type Session } from './session.js'
import { isErrorDocument } from './server-error.js'
import { StoreError } from './store-error.js'
import { parseXml, trimmedText } from './xml.js'

export class RestStore implements ObjectStore {
  readonly identity: string
  readonly bucket: string
  readonly limits: StoreLimits
  readonly digest: StoreDigest
  readonly #dialect: Dialect
  readonly #session: Session

  constructor(
    dialect: Dialect,
    session: Session,
    { identity, bucket }: { identity: string; bucket: string },
  ) {
    this.#dialect = dialect
    this.#session = session
    this.identity = identity
    this.bucket = bucket
    this.limits = dialect.limits
    this.digest = dialect.digest
  }

  fixedHeaders(object: ObjectOptions): Record<string, string> {
    return this.#dialect.objectHeaders(object).fixed
  }

  async createUpload(
    { key, object, sequential = false }: CreateUploadRequest,
    call: Call,
  ): Promise<CreatedUpload> {
    const { fixed, initiate } = this.#dialect.objectHeaders(object)
    const extra: Query = sequential ? [['sequential', '']] : []
    const operation = this.#operation(call, {
      name: 'InitiateMultipartUpload',
      method: 'POST',
      key,
      query: [['uploads', ''], ...this.#dialect.initiateQuery, ...extra],
      headers: { ...fixed, ...initiate },
      content: Buffer.alloc(0),
      fields: { key },
    })
    return this.#read(operation, call, ({ body, headers }) => ({
      uploadId: readUploadIdAnswer(body),
      date: parseDate(headers['date']),
    }))
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
      headers: this.#bodyHeaders(request),
      body: request.size === 0 ? undefined : request.body,
      fields: { key, uploadId, partNumber },
    })
    return this.#read(operation, call, ({ headers }) => ({
      etag: readEtag(headers['etag']),
      crc64: this.#dialect.readCrc(headers[this.#dialect.crcHeader]),
    }))
  }

  async listParts(
    { key, uploadId, after = 0 }: ListPartsRequest,
    call: Call,
  ): Promise<PartPage> {
    const operation = this.#operation(call, {
      name: 'ListParts',
      method: 'GET',
      key,
      query: [
        ['uploadId', uploadId],
        ['max-parts', '1000'],
        ['part-number-marker', String(after)],
        ...this.#dialect.listPartsQuery,
      ],
      headers: {},
      maxAnswerBytes: listBytes,
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
    const content = completeBody(parts, this.#dialect.xmlNamespace)
    const operation = this.#operation(call, {
      name: 'CompleteMultipartUpload',
      method: 'POST',
      key,
      query: [['uploadId', uploadId], ...this.#dialect.completeQuery],
      headers: {
        'content-type': 'application/xml',
        ...this.#dialect.objectHeaders(object).complete,
        ...this.#dialect.completeHeaders(request),
      },
      content,
      withCallback,
      maxAnswerBytes: listBytes,
      fields: { key, uploadId },
    })
    return this.#read(operation, call, (answer) =>
      withCallback
        ? this.#callbackReceipt(operation, answer)
        : this.#completedReceipt(answer),
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
        ['max-uploads', '1000'],
        ...this.#dialect.listUploadsQuery,
        ...optional.filter(([, value]) => value !== ''),
      ],
      headers: {},
      maxAnswerBytes: listBytes,
      fields: {},
    })
    return this.#read(operation, call, ({ body, headers }) => ({
      ...readUploadPage(body, { keyMarker, uploadIdMarker }),
      date: parseDate(headers['date']),
    }))
  }

  async putObject(
    request: PutObjectRequest,
    call: Call,
  ): Promise<ObjectReceipt> {
    const { key, object } = request
    const withCallback = object.callback !== undefined
    const { fixed, put } = this.#dialect.objectHeaders(object)
    const operation = this.#operation(call, {
      name: 'PutObject',
      method: 'PUT',
      key,
      query: [],
      headers: { ...fixed, ...put, ...this.#bodyHeaders(request) },
      body: request.size === 0 ? undefined : request.body,
      withCallback,
      maxAnswerBytes: listBytes,
      fields: { key },
    })
    return this.#read(operation, call, (answer) =>
      withCallback
        ? this.#callbackReceipt(operation, answer)
        : this.#receipt(answer),
    )
  }

  async headObject(key: string, call: Call): Promise<ObjectHead | undefined> {
    const operation = this.#operation(call, {
      name: 'HeadObject',
      method: 'HEAD',
      key,
      query: [],
      headers: this.#dialect.headHeaders,
      fields: { key },
    })
    try {
      return await this.#read(operation, call, (answer) => ({
        ...this.#receipt(answer),
        size: readNumber(answer.headers['content-length'], 'size'),
        lastModified: parseDate(answer.headers['last-modified']),
      }))
    } catch (error) {
      if (error instanceof StoreError && error.kind === 'no-key') {
        return undefined
      }
      throw error
    }
  }

  async close(): Promise<void> {
    this.#session.close()
  }

  /** Checks what every call has in common, and adds it. */
  #operation(call: Call, operation: Operation): Operation {
    if (operation.key !== undefined) {
      checkKey(operation.key, this.#dialect.keyRules)
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

  #receipt({ headers }: HttpAnswer): ObjectReceipt {
    return {
      etag: unquotedEtag(headers['etag']),
      crc64: this.#dialect.readCrc(headers[this.#dialect.crcHeader]),
      versionId: readVersionId(headers[`${this.#dialect.prefix}version-id`]),
    }
  }

  /** The ETag is in the XML; some servers leave it empty there. */
  #completedReceipt(answer: HttpAnswer): ObjectReceipt {
    const receipt = this.#receipt(answer)
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
  #callbackReceipt(operation: Operation, answer: HttpAnswer): ObjectReceipt {
    const receipt = this.#receipt(answer)
    const { status, body } = answer
    return status === 203 || status >= 300 || isErrorDocument(body)
      ? {
          ...receipt,
          callbackFailed: this.#session.describe(operation, answer),
        }
      : { ...receipt, callbackBody: body.toString('utf8') }
  }
}
