/**
 * The objects of a log in a bucket: read, made only where there is none, written
 * over, removed. One attempt each; a failure that may pass by itself is `Unheard`.
 */
import { invalidOption, UploadError } from '../errors.js'
import { asStoreError, checkedStore } from '../store/checked-store.js'
import type { Call, ObjectStore } from '../store/object-store.js'
import { StoreError } from '../store/store-error.js'
import { Unheard } from './steps.js'

export interface FoundObject {
  bytes: Uint8Array
  /** ms since it was written, by the server's clock; undefined: it does not say. */
  age: number | undefined
}

/** Largest object that is read, bytes: a log and a line. */
const mostBytes = 64 * 1024 * 1024 + 4096

export class BucketObjects {
  readonly #store: ObjectStore
  readonly #name: string
  readonly #call: () => Call

  /** `timeout`: ms that one request may take. */
  constructor(store: ObjectStore, name: string, timeout: number) {
    if (store.getObject === undefined || store.deleteObject === undefined) {
      invalidOption(
        'bucketCheckpoint: the store must have getObject and deleteObject, as ossStore and s3Store do',
      )
    }
    this.#store = checkedStore(store)
    this.#name = name
    this.#call = () => ({
      signal: new AbortController().signal,
      timeouts: { connect: 10_000, stall: timeout, headers: timeout },
    })
  }

  async read(key: string): Promise<FoundObject | undefined> {
    const found = await this.#ask((call) =>
      this.#store.getObject?.({ key, maxBytes: mostBytes }, call),
    )
    if (found === undefined) return undefined
    const { bytes, date, lastModified } = found
    const isKnown = date !== undefined && lastModified !== undefined
    return { bytes, age: isKnown ? date - lastModified : undefined }
  }

  /** False where there is one already. */
  async create(key: string, bytes: Uint8Array): Promise<boolean> {
    try {
      await this.#put(key, bytes, true)
      return true
    } catch (error) {
      if (error instanceof StoreError && error.kind === 'exists') return false
      throw this.#failure(error)
    }
  }

  write(key: string, bytes: Uint8Array): Promise<unknown> {
    return this.#put(key, bytes, false).catch((error: unknown) => {
      throw this.#failure(error)
    })
  }

  async remove(key: string): Promise<void> {
    await this.#ask((call) => this.#store.deleteObject?.(key, call))
  }

  #put(
    key: string,
    bytes: Uint8Array,
    forbidOverwrite: boolean,
  ): Promise<unknown> {
    const object = forbidOverwrite
      ? { contentType: 'text/plain', forbidOverwrite }
      : { contentType: 'text/plain' }
    const body = async function* () {
      yield bytes
    }
    const request = { key, object, size: bytes.length, body }
    return this.#store.putObject(request, this.#call())
  }

  async #ask<T>(
    ask: (call: Call) => Promise<T> | undefined,
  ): Promise<T | undefined> {
    try {
      return await ask(this.#call())
    } catch (error) {
      throw this.#failure(error)
    }
  }

  #failure(thrown: unknown): Error {
    const error = asStoreError(thrown)
    if (!(error instanceof StoreError)) return error
    switch (error.kind) {
      case 'network':
      case 'timeout':
      case 'server':
      case 'throttled':
      case 'response':
      case 'conflict':
      case 'clock':
      case 'credentials':
        return new Unheard(error.message)
      default:
        return new UploadError(
          'PAWL_CHECKPOINT_IO',
          `${this.#name}: ${error.message}`,
          { cause: error },
        )
    }
  }
}
