/**
 * What a store really holds, and who made it: apart from what it answers, so
 * that an answer can be a lie and the truth can still be looked up.
 *
 * Each method is the effect of one request at one moment. What it returns is
 * the honest answer; what it throws is the store's own error.
 */
import {
  StoreError,
  type StoreErrorKind,
} from '../../../lib/store/store-error.js'
import type {
  CompletedPart,
  CreatedUpload,
  ListedPart,
  PartPage,
  UploadPage,
} from '../../../lib/store/object-store.js'
import { crc64, md5 } from '../digests.js'
import { epoch, type World } from '../world.js'
import type {
  Create,
  Head,
  ListUploadsRequest,
  ObjectAnswer,
  ObjectOptions,
  PartAnswer,
} from './contract.js'
import type { Traits } from './profiles.js'

/** Who sent a request; `run` when it was an upload of ours. */
export interface Actor {
  readonly name: string
  readonly run?: number
}

export interface StoredPart {
  readonly bytes: Uint8Array
  readonly etag: string
  readonly at: number
  /** When the request left. */
  readonly sentAt: number
  readonly by: Actor
}

export interface StoredUpload {
  readonly id: string
  readonly key: string
  readonly by: Actor
  readonly initiated: number
  readonly options: string
  readonly mark: string | undefined
  readonly parts: Map<number, StoredPart>
  readonly isSequential: boolean
  state: 'open' | 'completed' | 'aborted'
  /** Who aborted or completed it. */
  endedBy?: Actor
  /** What it became. */
  object?: StoredObject
  /** Its ID was in an answer that arrived. */
  isHeard: boolean
}

export interface StoredObject {
  bytes: Uint8Array
  readonly options: string
  readonly mark: string | undefined
  readonly etag: string
  readonly at: number
  /** When the request that made it left. */
  readonly sentAt: number
  readonly lastModified: number
  readonly versionId: string | undefined
  readonly by: Actor
  /** Undefined for one that was put. */
  readonly upload: StoredUpload | undefined
  /** The parts that Complete has named, as they were then. */
  readonly parts: ReadonlyMap<number, StoredPart>
  /** It was on top of its key once. */
  isShown: boolean
}

/** What is on top of a key from a moment on. */
interface Shown {
  at: number
  object: StoredObject | undefined
}

/** What an object is to be besides its bytes, as one text. */
export function optionsText(object: ObjectOptions, acl: string): string {
  const { metadata = {}, acl: _acl, callback: _callback, ...rest } = object
  const { forbidOverwrite: _condition, ...fixed } = rest
  const { pawl: _mark, ...own } = metadata as Record<string, string>
  return JSON.stringify({
    ...sorted(fixed),
    metadata: sorted(own),
    ...(acl === '' ? {} : { acl }),
  })
}

function sorted(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
}

interface Problem {
  kind: StoreErrorKind
  status: number
  code: string
}

/** What stores refuse requests with. */
export const problems = {
  noUpload: { kind: 'no-upload', status: 404, code: 'NoSuchUpload' },
  internal: { kind: 'server', status: 500, code: 'InternalError' },
  invalidPart: { kind: 'invalid-part', status: 400, code: 'InvalidPart' },
  exists: { kind: 'exists', status: 412, code: 'PreconditionFailed' },
  notImplemented: { kind: 'unsupported', status: 501, code: 'NotImplemented' },
  denied: { kind: 'denied', status: 403, code: 'AccessDenied' },
  unequalParts: { kind: 'invalid-part', status: 400, code: 'InvalidPart' },
  badDigest: { kind: 'digest', status: 400, code: 'BadDigest' },
  partThere: { kind: 'conflict', status: 409, code: 'PartAlreadyExist' },
  partOutOfOrder: { kind: 'conflict', status: 400, code: 'PartNotSequential' },
  noMetadata: { kind: 'request', status: 400, code: 'InvalidArgument' },
  tooManyParts: { kind: 'request', status: 400, code: 'InvalidArgument' },
} as const satisfies Record<string, Problem>

export function problem({ kind, status, code }: Problem): StoreError {
  return new StoreError(`${code}.`, { kind, status, serverCode: code })
}

export class StoreTruth {
  readonly traits: Traits
  readonly uploads = new Map<string, StoredUpload>()
  /** Everything that was ever made, in order. */
  readonly objects: StoredObject[] = []
  /** Every part that ever arrived, in order. */
  readonly partsSent: (StoredPart & {
    uploadId: string
    partNumber: number
  })[] = []
  /** Bodies that were damaged on their way. */
  readonly damaged = new WeakSet<Uint8Array>()
  /** Hears of each object that is made, and of what was on top before. */
  onMade: (made: StoredObject, before: StoredObject | undefined) => void = () =>
    undefined
  /** Hears of each open upload that is aborted. */
  onAbort: (upload: StoredUpload, by: Actor) => void = () => undefined
  readonly #world: World
  readonly #shown = new Map<string, Shown[]>()
  #ids = 0

  constructor(world: World, traits: Traits) {
    this.#world = world
    this.traits = traits
  }

  /** The server's own clock, ms since 1970. */
  get clock(): number {
    return epoch + this.#world.now + this.traits.clockAhead
  }

  /** What is really under a key, or was so many ms ago. */
  current(key: string, ago = 0): StoredObject | undefined {
    const then = this.#world.now - ago
    return this.#shown.get(key)?.findLast(({ at }) => at <= then)?.object
  }

  /** Whether an object was on top of its key at some moment between two. */
  wasOnTop(key: string, object: StoredObject, from: number, to: number) {
    const history = this.#shown.get(key) ?? []
    return history.some(({ at, object: shown }, index) => {
      const until = history[index + 1]?.at ?? Number.POSITIVE_INFINITY
      return shown === object && at <= to && until >= from
    })
  }

  /** What the store would say of an object, if it says any. */
  crcOf({ bytes }: StoredObject): string | undefined {
    return this.#crcOf(bytes).crc64
  }

  createUpload(
    by: Actor,
    {
      key,
      object,
      mark,
      sequential = false,
    }: Pick<Create, 'key' | 'object' | 'mark' | 'sequential'>,
  ): CreatedUpload {
    this.#mustTake(object, mark)
    const id = `upload-${++this.#ids}`
    this.uploads.set(id, {
      id,
      key,
      by,
      initiated: this.clock,
      options: optionsText(
        object,
        this.traits.dialect === 's3' ? (object.acl ?? '') : '',
      ),
      mark: this.#kept(mark),
      parts: new Map(),
      isSequential: sequential,
      state: 'open',
      isHeard: false,
    })
    return { uploadId: id, date: this.#date(this.clock) }
  }

  uploadPart(
    by: Actor,
    {
      uploadId,
      partNumber,
      sentAt = this.#world.now,
    }: { uploadId: string; partNumber: number; sentAt?: number },
    bytes: Uint8Array,
  ): PartAnswer {
    const upload = this.uploads.get(uploadId)
    const isTaken =
      upload !== undefined &&
      (upload.state === 'open' ||
        (upload.state === 'completed' &&
          this.traits.completedUpload === 'listed'))
    if (!isTaken) throw problem(problems.noUpload)
    if (partNumber > this.traits.maxParts) throw problem(problems.tooManyParts)
    if (upload.isSequential) mustBeNext(upload, partNumber)
    const etag = this.#partEtag(bytes)
    const part = { bytes, etag, at: this.#world.now, sentAt, by }
    upload.parts.set(partNumber, part)
    this.partsSent.push({ ...part, uploadId, partNumber })
    // The object is a list of the parts it named, whatever these are by now; one
    // that was replaced is nothing any more.
    const { object } = upload
    const isThere = this.traits.versions || this.current(upload.key) === object
    if (object !== undefined && isThere) {
      object.bytes = Buffer.concat(
        [...object.parts.keys()].map(
          (number) => upload.parts.get(number)?.bytes ?? new Uint8Array(),
        ),
      )
    }
    return { etag, ...this.#crcOf(bytes), ...this.#opaque() }
  }

  listParts({
    uploadId,
    after = 0,
  }: {
    uploadId: string
    after?: number | undefined
  }): PartPage {
    const upload = this.uploads.get(uploadId)
    const isListed =
      upload !== undefined &&
      (upload.state === 'open' ||
        (upload.state === 'completed' &&
          this.traits.completedUpload === 'listed'))
    if (!isListed) throw problem(problems.noUpload)
    const { listLag, page } = this.traits
    const seen = [...upload.parts]
      .filter(([, { at }]) => at <= this.#world.now - listLag)
      .filter(([number]) => number > after)
      .toSorted(([a], [b]) => a - b)
    const parts = seen
      .slice(0, page)
      .map(([partNumber, { etag, bytes, at }]): ListedPart => ({
        partNumber,
        etag,
        size: bytes.length,
        lastModified: this.#date(epoch + at + this.traits.clockAhead),
        // S3 shows its CRC-64s only to those who ask for each part.
        ...(this.traits.dialect === 'oss' ? this.#crcOf(bytes) : {}),
      }))
    const last = parts.at(-1)
    return seen.length > page && last !== undefined
      ? { parts, next: last.partNumber }
      : { parts }
  }

  completeUpload(
    by: Actor,
    {
      uploadId,
      parts,
      object,
      crc64: expected,
      sentAt = this.#world.now,
    }: {
      uploadId: string
      parts: readonly CompletedPart[]
      object: ObjectOptions
      crc64?: string | undefined
      sentAt?: number
    },
  ): ObjectAnswer {
    const { traits } = this
    const upload = this.uploads.get(uploadId)
    if (upload === undefined || upload.state === 'aborted') {
      throw problem(
        traits.goneAtComplete === 'server'
          ? problems.internal
          : problems.noUpload,
      )
    }
    if (upload.state === 'completed') {
      const made = upload.object
      const isThere = made !== undefined && this.current(upload.key) === made
      if (traits.completeAgain === 'replayed' && isThere) {
        return this.#completed(made)
      }
      if (traits.completeAgain !== 'another-version') {
        throw problem(problems.noUpload)
      }
    }
    this.#mustNotExist(traits.completeCondition, upload.key, object)
    const named = this.#named(upload, parts)
    const bytes = Buffer.concat(named.map((part) => part.bytes))
    if (
      expected !== undefined &&
      traits.digest === 'crc64nvme' &&
      expected !== crc64('crc64nvme', bytes)
    ) {
      throw problem(problems.badDigest)
    }
    const { acl = '', ...fixed } = JSON.parse(upload.options)
    const made: StoredObject = {
      bytes,
      options: optionsText(
        fixed,
        traits.dialect === 's3' ? acl : (object.acl ?? ''),
      ),
      mark: upload.mark,
      etag: this.#objectEtag(bytes, named),
      at: this.#world.now,
      sentAt,
      lastModified: traits.dates === 'initiate' ? upload.initiated : this.clock,
      versionId: this.#version(),
      by,
      upload,
      parts: new Map(named.map((part, index) => [index + 1, part])),
      isShown: false,
    }
    upload.state = 'completed'
    upload.endedBy = by
    upload.object = made
    this.#show(upload.key, made, upload.initiated)
    return { ...this.#completed(made), ...calledBack(object) }
  }

  abortUpload(by: Actor, uploadId: string): void {
    const upload = this.uploads.get(uploadId)
    if (upload?.state !== 'open') return
    upload.state = 'aborted'
    upload.endedBy = by
    this.onAbort(upload, by)
  }

  listUploads({
    prefix = '',
    keyMarker = '',
    uploadIdMarker = '',
  }: ListUploadsRequest): UploadPage {
    const date = this.#date(this.clock)
    const all = [...this.uploads.values()]
      .filter(({ state, key }) => state === 'open' && key.startsWith(prefix))
      .filter(
        ({ key, id }) =>
          key > keyMarker || (key === keyMarker && id > uploadIdMarker),
      )
      .toSorted((a, b) =>
        a.key === b.key ? (a.id < b.id ? -1 : 1) : a.key < b.key ? -1 : 1,
      )
    const uploads = all.slice(0, this.traits.page).map((upload) => ({
      key: upload.key,
      uploadId: upload.id,
      initiated: this.#date(upload.initiated),
    }))
    const last = uploads.at(-1)
    return all.length > uploads.length && last !== undefined
      ? {
          uploads,
          date,
          next: { keyMarker: last.key, uploadIdMarker: last.uploadId },
        }
      : { uploads, date }
  }

  putObject(
    by: Actor,
    {
      key,
      object,
      mark,
      sentAt = this.#world.now,
    }: {
      key: string
      object: ObjectOptions
      mark?: string | undefined
      sentAt?: number
    },
    bytes: Uint8Array,
  ): ObjectAnswer {
    this.#mustTake(object, mark)
    this.#mustNotExist(this.traits.putCondition, key, object)
    const made = this.place(by, key, bytes, {
      options: optionsText(object, object.acl ?? ''),
      mark: this.#kept(mark),
      sentAt,
    })
    return {
      etag: made.etag,
      ...this.#crcOf(bytes),
      ...this.#versionOf(made),
      ...this.#opaque(),
      ...calledBack(object),
    }
  }

  /** An object is there all at once, whoever made it and however. */
  place(
    by: Actor,
    key: string,
    bytes: Uint8Array,
    {
      options,
      mark,
      sentAt = this.#world.now,
    }: { options: string; mark: string | undefined; sentAt?: number },
  ): StoredObject {
    const made: StoredObject = {
      bytes,
      options,
      mark,
      etag: this.#partEtag(bytes).replaceAll('"', ''),
      at: this.#world.now,
      sentAt,
      lastModified: this.clock,
      versionId: this.#version(),
      by,
      upload: undefined,
      parts: new Map(),
      isShown: false,
    }
    this.#show(key, made, this.clock)
    return made
  }

  deleteObject(key: string): void {
    this.#history(key).push({ at: this.#world.now, object: undefined })
  }

  headObject(key: string): Head | undefined {
    const object = this.current(key, this.traits.headLag)
    if (object === undefined) return undefined
    const { etag, bytes, mark } = object
    return {
      etag,
      size: bytes.length,
      lastModified: this.#date(object.lastModified),
      ...this.#crcOf(bytes),
      ...this.#versionOf(object),
      ...this.#opaque(),
      ...(mark === undefined ? {} : { mark }),
    }
  }

  #completed(made: StoredObject): ObjectAnswer {
    const isGiven = this.traits.completeEtag === 'given'
    return {
      etag: isGiven ? made.etag : '',
      ...this.#crcOf(made.bytes),
      ...this.#versionOf(made),
      ...this.#opaque(),
    }
  }

  #named(upload: StoredUpload, parts: readonly CompletedPart[]): StoredPart[] {
    const { comparesEtags, unnamedParts, equalParts } = this.traits
    const isAllNamed = upload.parts.size === parts.length
    if (parts.length === 0 || (unnamedParts === 'refused' && !isAllNamed)) {
      throw problem(problems.invalidPart)
    }
    let last = 0
    const size = upload.parts.get(1)?.bytes.length ?? 0
    return parts.map(({ partNumber, etag }, index) => {
      const part = upload.parts.get(partNumber)
      const isLast = index === parts.length - 1
      const length = part?.bytes.length ?? 0
      if (equalParts && (isLast ? length > size : length !== size)) {
        throw problem(problems.unequalParts)
      }
      const isRight =
        part !== undefined &&
        partNumber > last &&
        (!comparesEtags || bare(part.etag) === bare(etag))
      if (!isRight) throw problem(problems.invalidPart)
      last = partNumber
      return part
    })
  }

  #mustTake({ metadata = {} }: ObjectOptions, mark: string | undefined): void {
    const isMarked = mark !== undefined || Object.keys(metadata).length > 0
    if (this.traits.marks === 'refused' && isMarked) {
      throw problem(problems.noMetadata)
    }
  }

  #mustNotExist(
    condition: Traits['putCondition'],
    key: string,
    { forbidOverwrite = false }: ObjectOptions,
  ): void {
    if (!forbidOverwrite || condition === 'ignored') return
    if (condition === 'unsupported') throw problem(problems.notImplemented)
    if (this.current(key) !== undefined) throw problem(problems.exists)
  }

  #show(key: string, object: StoredObject, begun: number): void {
    this.objects.push(object)
    const top = this.current(key)
    const isBelow =
      this.traits.order === 'initiate' &&
      top !== undefined &&
      epoch + top.at + this.traits.clockAhead > begun
    if (!isBelow) {
      object.isShown = true
      this.#history(key).push({ at: this.#world.now, object })
    }
    this.onMade(object, top)
  }

  #history(key: string): Shown[] {
    const history = this.#shown.get(key) ?? []
    this.#shown.set(key, history)
    return history
  }

  #kept(mark: string | undefined): string | undefined {
    return this.traits.marks === 'kept' ? mark : undefined
  }

  #partEtag(bytes: Uint8Array): string {
    const hash = md5(bytes).toString('hex')
    switch (this.traits.etags) {
      case 'md5':
        return this.traits.dialect === 'oss'
          ? `"${hash.toUpperCase()}"`
          : `"${hash}"`
      case 'like-md5':
        return `"${md5(Buffer.concat([bytes, Buffer.from(`${this.#ids}`)])).toString('hex')}"`
      case 'opaque':
      case 'opaque-untold':
        return `"etag-${hash.slice(0, 12)}"`
      default:
        return this.traits.etags satisfies never
    }
  }

  #objectEtag(bytes: Uint8Array, parts: readonly StoredPart[]): string {
    const { etags, dialect } = this.traits
    if (etags !== 'md5') {
      const hash = md5(bytes).toString('hex')
      return etags === 'like-md5'
        ? `${md5(Buffer.from(hash)).toString('hex')}-${parts.length}`
        : `etag-${hash.slice(0, 12)}-${parts.length}`
    }
    const joined = parts.map(({ etag }) => Buffer.from(bare(etag), 'hex'))
    const hash = md5(Buffer.concat(joined)).toString('hex')
    return `${dialect === 'oss' ? hash.toUpperCase() : hash}-${parts.length}`
  }

  #crcOf(bytes: Uint8Array): { crc64?: string } {
    const { digest } = this.traits
    return digest === 'crc64ecma' || digest === 'crc64nvme'
      ? { crc64: crc64(digest, bytes) }
      : {}
  }

  #opaque(): { isOpaque?: true } {
    return this.traits.etags === 'opaque' ? { isOpaque: true } : {}
  }

  #version(): string | undefined {
    return this.traits.versions
      ? `version-${this.objects.length + 1}`
      : undefined
  }

  #versionOf({ versionId }: StoredObject): { versionId?: string } {
    return versionId === undefined ? {} : { versionId }
  }

  #date(time: number): number {
    return this.traits.wholeSeconds ? Math.floor(time / 1000) * 1000 : time
  }
}

/** What the store answers with when it was asked to call somebody. */
function calledBack({ callback }: ObjectOptions): { callbackBody?: string } {
  return callback === undefined ? {} : { callbackBody: '{"heard":true}' }
}

function mustBeNext({ parts }: StoredUpload, partNumber: number): void {
  const highest = Math.max(0, ...parts.keys())
  if (partNumber <= highest) throw problem(problems.partThere)
  if (partNumber !== highest + 1) throw problem(problems.partOutOfOrder)
}

function bare(etag: string): string {
  return etag.replaceAll('"', '').toLowerCase()
}
