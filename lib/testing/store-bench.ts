/** What the cases of the store's contract share: calls with little to say, and looks. */
import assert from 'node:assert/strict'
import {
  StoreError,
  type Body,
  type Call,
  type ListedPart,
  type ListedUpload,
  type ObjectStore,
  type PartPage,
  type StoreErrorKind,
  type UploadMarkers,
  type UploadPage,
} from '../index.js'
import { sameBytes } from './contract-case.js'

/** How the contract gets at a kind of {@link ObjectStore}. */
export interface StoreSubject {
  /** A store on a bucket that nobody else changes; closed at the end of its case. */
  store(this: void): ObjectStore | Promise<ObjectStore>
  /** The bytes of an object; undefined when there is none. */
  read(
    this: void,
    key: string,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined>
  /** Of every key, so that what is left can be found. Default `pawl-contract/`. */
  prefix?: string
  /** Bytes of the parts that are sent. Default: the least that the store takes. */
  partSize?: number
}

/** Keys of one process, which another run of the tests may find again. */
let keys = 0

export class StoreBench {
  readonly store: ObjectStore
  readonly partSize: number
  readonly #subject: StoreSubject

  constructor(store: ObjectStore, subject: StoreSubject) {
    this.store = store
    this.#subject = subject
    this.partSize = subject.partSize ?? Math.max(store.limits.minPartSize, 1024)
  }

  key(name: string): string {
    const { prefix = 'pawl-contract/' } = this.#subject
    return `${prefix}${process.pid}-${(keys += 1)}/${name}`
  }

  async begun(name: string) {
    const key = this.key(name)
    const { uploadId } = await this.store.createUpload(
      { key, object: {} },
      call(),
    )
    assert.ok(uploadId !== '', 'an upload ID')
    return { key, uploadId }
  }

  async send(
    { key, uploadId }: Upload,
    partNumber: number,
    bytes: Uint8Array,
  ): Promise<Named> {
    const { etag } = await this.store.uploadPart(
      { key, uploadId, partNumber, size: bytes.length, body: bodyOf(bytes) },
      call(),
    )
    assert.ok(etag !== '', `an ETag of part ${partNumber}`)
    return { partNumber, etag }
  }

  complete({ key, uploadId }: Upload, size: number, parts: readonly Named[]) {
    return this.store.completeUpload(
      { key, uploadId, parts, object: {}, size },
      call(),
    )
  }

  put(key: string, bytes: Uint8Array) {
    return this.store.putObject(
      { key, object: {}, size: bytes.length, body: bodyOf(bytes) },
      call(),
    )
  }

  /** Of all pages. */
  async parts(upload: Upload): Promise<ListedPart[]> {
    const found: ListedPart[] = []
    for (let after: number | undefined = 0; after !== undefined;) {
      const page: PartPage = await this.store.listParts(
        { ...upload, after },
        call(),
      )
      found.push(...page.parts)
      const { next } = page
      assert.ok(next === undefined || next > after, `next page after ${after}`)
      after = next
    }
    return found
  }

  async partNumbers(upload: Upload): Promise<number[]> {
    const parts = await this.parts(upload)
    return parts.map(({ partNumber }) => partNumber)
  }

  async uploads(prefix: string): Promise<ListedUpload[]> {
    const found: ListedUpload[] = []
    let markers: Partial<UploadMarkers> | undefined = {}
    while (markers !== undefined) {
      const page: UploadPage = await this.store.listUploads(
        { prefix, ...markers },
        call(),
      )
      found.push(...page.uploads)
      assert.ok(found.length < 10_000, 'pages of uploads without an end')
      markers = page.next
    }
    return found
  }

  abort({ key, uploadId }: Upload): Promise<void> {
    return this.store.abortUpload({ key, uploadId }, call())
  }

  async is(key: string, bytes: Uint8Array): Promise<void> {
    const head = await this.store.headObject(key, call())
    assert.equal(head?.size, bytes.length, `the size of ${key}`)
    const found = await this.#subject.read(key)
    assert.ok(found, `there is no object ${key}`)
    sameBytes(found, bytes, key)
  }

  async isAbsent(key: string): Promise<void> {
    assert.equal(await this.store.headObject(key, call()), undefined, key)
  }
}

export interface Upload {
  key: string
  uploadId: string
}

/** A part as Complete names it. */
export interface Named {
  partNumber: number
  etag: string
}

export function call(): Call {
  return {
    signal: new AbortController().signal,
    timeouts: { connect: 10_000, stall: 60_000, headers: 120_000 },
  }
}

export function bodyOf(bytes: Uint8Array): Body {
  return async function* () {
    for (let at = 0; at < bytes.length; at += 65_536) {
      yield bytes.subarray(at, at + 65_536)
    }
  }
}

/** Waits for a call that has to be refused, with a `StoreError` of these kinds. */
export async function refusal(
  attempt: Promise<unknown>,
  ...kinds: readonly StoreErrorKind[]
): Promise<void> {
  const error: unknown = await attempt.then(
    () => assert.fail(`a call succeeded: expected ${kinds.join(' or ')}`),
    (reason: unknown) => reason,
  )
  mustBeOf(error, ...kinds)
}

export function mustBeOf(
  error: unknown,
  ...kinds: readonly StoreErrorKind[]
): void {
  if (error instanceof assert.AssertionError) throw error
  assert.ok(
    error instanceof StoreError,
    `rejected with ${String(error)}, expected a StoreError`,
  )
  assert.ok(
    kinds.length === 0 || kinds.includes(error.kind),
    `a StoreError of the kind ${error.kind}, expected ${kinds.join(' or ')}: ${error.message}`,
  )
}
