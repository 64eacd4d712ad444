/**
 * A directory as an object store: a mounted disk, a staging area, a test.
 *
 * - Every call is one attempt and fails with a `StoreError` of a `kind`.
 * - A call with a body settles only when it no longer reads that body.
 * - An answer is given only for what is on the disk: written, synced, named.
 * - Bytes are put under a random name; a record, one small file that says which
 *   they are, makes them an object or a part by one rename (or link).
 *
 * `objects/` has the records of objects, `bytes/` their bytes, `uploads/ID/` an
 * upload's own record with the records and bytes of its parts. For POSIX: Windows
 * cannot sync a directory. A hanging disk is not given up: no read or write of a
 * file can be.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import {
  UploadError,
  type AbortUploadRequest,
  type Call,
  type CompleteUploadRequest,
  type CreatedUpload,
  type CreateUploadRequest,
  type ListPartsRequest,
  type ListUploadsRequest,
  type ObjectHead,
  type ObjectOptions,
  type ObjectReceipt,
  type ObjectStore,
  type PartPage,
  type PartReceipt,
  type PutObjectRequest,
  type StoreErrorKind,
  type UploadPage,
  type UploadPartRequest,
} from 'pawl'
import {
  codeOf,
  failure,
  kindOf,
  namesIn,
  putRecord,
  readRecord,
  receive,
  remove,
  syncDirectory,
  type Stored,
} from './directory-files.js'

interface StoredPart extends Stored {
  partNumber: number
}

interface StoredObject extends Stored {
  key: string
  headers: Record<string, string>
  /** By which its upload knows it again. */
  mark?: string | undefined
}

interface StartedUpload {
  key: string
  uploadId: string
  initiated: number
  headers: Record<string, string>
  mark?: string | undefined
}

/** The directory must exist; what is in it is left alone. */
export function directoryStore(
  path: string,
  { pageSize = 1000 } = {},
): ObjectStore {
  return new DirectoryStore(resolve(path), pageSize)
}

class DirectoryStore implements ObjectStore {
  readonly identity: string
  readonly bucket: string
  readonly #pageSize: number
  readonly digest = 'md5'
  readonly limits = {
    minPartSize: 1,
    maxPartSize: 5 * 1024 ** 3,
    maxParts: 10_000,
    maxPutSize: 5 * 1024 ** 3,
    maxKeyBytes: 1024,
  }

  constructor(root: string, pageSize: number) {
    this.#pageSize = pageSize
    this.bucket = root
    this.identity = `directory:${root}`
  }

  fixedHeaders(object: ObjectOptions): Record<string, string> {
    const { contentType, metadata, ...others } = object
    const unknown = Object.keys(others).find((n) => n !== 'forbidOverwrite')
    if (unknown !== undefined) {
      throw new UploadError(
        'PAWL_INVALID_OPTION',
        `object.${unknown}: a directory has no place for it`,
      )
    }
    // The mark of another object, whose metadata was copied, is not kept.
    const { pawl: _mark, ...own } = metadata ?? {}
    const entries = Object.entries(own)
    return {
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
      ...Object.fromEntries(entries.map(([n, v]) => [`meta-${n}`, v])),
    }
  }

  createUpload(request: CreateUploadRequest): Promise<CreatedUpload> {
    return this.#attempt(async () => {
      const { key, object, mark } = request
      const uploadId = randomUUID()
      const initiated = Date.now()
      const headers = this.fixedHeaders(object)
      const directory = this.#uploadAt(uploadId)
      await this.#makeDirectory('uploads')
      await mkdir(directory)
      const record = { key, uploadId, initiated, headers, mark }
      await putRecord(directory, 'upload.json', { record })
      await syncDirectory(join(this.bucket, 'uploads'))
      return { uploadId, date: initiated }
    })
  }

  // #region shown
  uploadPart(request: UploadPartRequest, call: Call): Promise<PartReceipt> {
    return this.#attempt(async () => {
      const { key, uploadId, partNumber } = request
      await this.#upload(key, uploadId)
      const directory = this.#uploadAt(uploadId)
      const part = await receive(directory, request, call)
      const name = `${partNumber}.json`
      const before = await readRecord<Stored>(join(directory, name))
      await putRecord(directory, name, { record: part })
      if (before !== undefined) await remove(directory, before.file)
      return { etag: part.etag }
    })
  }
  // #endregion
  listParts({ key, uploadId, after }: ListPartsRequest): Promise<PartPage> {
    return this.#attempt(async () => {
      await this.#upload(key, uploadId)
      const stored = await this.#parts(uploadId)
      const wanted = stored.filter(
        ({ partNumber }) => partNumber > (after ?? 0),
      )
      const parts = wanted
        .slice(0, this.#pageSize)
        .map(({ file: _file, ...part }) => part)
      const next = parts.at(-1)?.partNumber
      return wanted.length > this.#pageSize ? { parts, next } : { parts }
    })
  }

  completeUpload(
    request: CompleteUploadRequest,
    call: Call,
  ): Promise<ObjectReceipt> {
    return this.#attempt(async () => {
      const { key, uploadId, object } = request
      const { headers, mark } = await this.#upload(key, uploadId)
      const directory = this.#uploadAt(uploadId)
      const stored = new Map(
        (await this.#parts(uploadId)).map((part) => [part.partNumber, part]),
      )
      const parts = request.parts.map(({ partNumber, etag }) => {
        const part = stored.get(partNumber)
        if (part?.etag === etag) return part
        throw failure('invalid-part', `part ${partNumber} is not as named`)
      })
      async function* joined() {
        for (const { file, etag, partNumber } of parts) {
          const md5 = createHash('md5')
          const chunks: AsyncIterable<Buffer> = createReadStream(
            join(directory, file),
          )
          for await (const chunk of chunks) {
            md5.update(chunk)
            yield chunk
          }
          if (md5.digest('hex') === etag) continue
          throw failure('invalid-part', `part ${partNumber} has rotted`)
        }
      }
      const size = parts.reduce((sum, part) => sum + part.size, 0)
      await this.#makeDirectory('bytes')
      const whole = await receive(
        join(this.bucket, 'bytes'),
        { size, body: joined },
        call,
      )
      const etags = createHash('md5')
      for (const { etag } of parts) etags.update(Buffer.from(etag, 'hex'))
      const etag = `${etags.digest('hex')}-${parts.length}`
      await this.#publish({ ...whole, key, headers, mark, etag }, object)
      await this.#removeUpload(uploadId)
      return { etag }
    })
  }

  abortUpload({ uploadId }: AbortUploadRequest): Promise<void> {
    return this.#attempt(() => this.#removeUpload(uploadId))
  }

  listUploads(request: ListUploadsRequest): Promise<UploadPage> {
    return this.#attempt(async () => {
      const { prefix = '', keyMarker = '', uploadIdMarker = '' } = request
      const wanted: StartedUpload[] = []
      for (const uploadId of await namesIn(join(this.bucket, 'uploads'))) {
        const upload = await this.#started(uploadId)
        if (upload?.key.startsWith(prefix) !== true) continue
        const order =
          byBytes(upload.key, keyMarker) || byBytes(uploadId, uploadIdMarker)
        if (order > 0) wanted.push(upload)
      }
      wanted.sort(
        (a, b) => byBytes(a.key, b.key) || byBytes(a.uploadId, b.uploadId),
      )
      const uploads = wanted
        .slice(0, this.#pageSize)
        .map(({ key, uploadId, initiated }) => ({ key, uploadId, initiated }))
      const last = uploads.at(-1)
      return last === undefined || wanted.length <= this.#pageSize
        ? { uploads, date: Date.now() }
        : {
            uploads,
            date: Date.now(),
            next: { keyMarker: last.key, uploadIdMarker: last.uploadId },
          }
    })
  }

  putObject(request: PutObjectRequest, call: Call): Promise<ObjectReceipt> {
    return this.#attempt(async () => {
      const { key, object, mark } = request
      const headers = this.fixedHeaders(object)
      await this.#makeDirectory('bytes')
      const bytes = await receive(join(this.bucket, 'bytes'), request, call)
      await this.#publish({ ...bytes, key, headers, mark }, object)
      return { etag: bytes.etag }
    })
  }

  headObject(key: string): Promise<ObjectHead | undefined> {
    return this.#attempt(() => this.#object(key))
  }

  async close(): Promise<void> {
    // Nothing is kept open between calls.
  }

  #uploadAt(uploadId: string): string {
    return join(this.bucket, 'uploads', uploadId)
  }

  async #upload(key: string, uploadId: string): Promise<StartedUpload> {
    const upload = await this.#started(uploadId)
    if (upload?.key === key) return upload
    throw failure('no-upload', `no upload ${uploadId}`)
  }

  async #parts(uploadId: string): Promise<StoredPart[]> {
    const directory = this.#uploadAt(uploadId)
    const parts: StoredPart[] = []
    for (const name of await namesIn(directory)) {
      const partNumber = Number(/^(\d+)\.json$/.exec(name)?.[1] ?? 0)
      if (partNumber === 0) continue
      const part = await readRecord<Stored>(join(directory, name))
      if (part !== undefined) parts.push({ ...part, partNumber })
    }
    return parts.toSorted((a, b) => a.partNumber - b.partNumber)
  }

  async #started(uploadId: string): Promise<StartedUpload | undefined> {
    // It may come from a log: it must not lead out of the directory.
    if (!/^[0-9a-f-]{36}$/.test(uploadId)) return undefined
    return readRecord(join(this.#uploadAt(uploadId), 'upload.json'))
  }

  #object(key: string): Promise<StoredObject | undefined> {
    return readRecord(join(this.bucket, 'objects', recordName(key)))
  }

  /** Its own record last: until then it is listed, and can be removed again. */
  async #removeUpload(uploadId: string): Promise<void> {
    if ((await this.#started(uploadId)) === undefined) return
    const directory = this.#uploadAt(uploadId)
    for (const name of await namesIn(directory)) {
      if (name !== 'upload.json') await remove(directory, name)
    }
    await rm(directory, { recursive: true, force: true })
  }

  async #publish(
    record: StoredObject,
    { forbidOverwrite: exclusive = false }: ObjectOptions,
  ): Promise<void> {
    const bytes = join(this.bucket, 'bytes')
    await this.#makeDirectory('objects')
    const before = await this.#object(record.key)
    try {
      const directory = join(this.bucket, 'objects')
      const name = recordName(record.key)
      await putRecord(directory, name, { record, exclusive })
    } catch (error) {
      // After any other failure the record may be there, and needs them.
      if (codeOf(error) === 'EEXIST') await remove(bytes, record.file)
      throw error
    }
    if (before !== undefined) await remove(bytes, before.file)
  }

  async #makeDirectory(name: string): Promise<void> {
    // Not of the bucket itself: see `#attempt`.
    await mkdir(join(this.bucket, name)).then(
      () => syncDirectory(this.bucket),
      (error: unknown) => {
        if (codeOf(error) !== 'EEXIST') throw error
      },
    )
  }

  /** One attempt, with its failure classified. */
  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    let kind: StoreErrorKind = 'no-bucket'
    try {
      // A directory that is gone is a missing bucket, and is not made anew.
      await stat(this.bucket)
      kind = 'server'
      return await work()
    } catch (error) {
      if (error instanceof UploadError) throw error
      const code = codeOf(error)
      if (kind !== 'no-bucket' || code !== 'ENOENT') kind = kindOf(code)
      throw failure(kind, `${this.bucket} failed: ${code}`, error)
    }
  }
}

/** Any key, however long, whatever is in it. */
function recordName(key: string): string {
  return `${createHash('sha256').update(key).digest('hex')}.json`
}

/** The order of stores: that of the bytes of UTF-8. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
