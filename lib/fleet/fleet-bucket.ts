/** What fleets keep in the bucket: small texts, put once, and read whole. */
import { createHash } from 'node:crypto'
import { hasMd5 } from '../hash/md5.js'
import { invalidOption } from '../errors.js'
import type {
  GetObjectRequest,
  ObjectOptions,
  ObjectStore,
  StoredObject,
} from '../store/object-store.js'
import { kindOf } from '../upload/calls/requests.js'
import {
  requestsFor,
  type ListUploadsOptions,
  type StoreQuestions,
} from '../upload/list-uploads.js'
import { mostText } from './manifest.js'

/** How a fleet asks its store. */
export type AskOptions = Pick<
  ListUploadsOptions,
  'retry' | 'timeout' | 'requestPayer' | 'signal'
>

export interface PutNewOptions {
  /** Of what may be there. */
  maxBytes?: number
  /** When nothing is there. */
  beforePut?: () => Promise<void>
}

async function nothing(): Promise<void> {}

export class FleetBucket {
  readonly store: ObjectStore
  readonly #questions: StoreQuestions
  /** ms that the server's clock is ahead of this machine's. */
  #ahead = 0

  constructor(store: ObjectStore, options: AskOptions) {
    if (store.getObject === undefined) {
      invalidOption(
        'store: a fleet keeps its plan in the bucket, and this store has no getObject',
      )
    }
    this.store = store
    this.#questions = requestsFor(store, options)
  }

  /** Undefined when there is none. */
  async get(key: string, maxBytes = mostText): Promise<string | undefined> {
    const found = await this.#ask('a look at the plan', (call) =>
      this.#read({ key, maxBytes }, call),
    )
    if (found?.date !== undefined) this.#ahead = found.date - Date.now()
    return found && Buffer.from(found.bytes).toString('utf8')
  }

  /** ms since 1970, by the server's clock as of the last `get`. */
  now(): number {
    return Date.now() + this.#ahead
  }

  async #read(
    request: GetObjectRequest,
    call: Parameters<ObjectStore['headObject']>[1],
  ): Promise<StoredObject | undefined> {
    return this.store.getObject?.(request, call)
  }

  /** When it was put, ms since 1970; undefined when there is none. */
  async find(key: string): Promise<number | undefined> {
    const found = await this.#ask('a look at the plan', (call) =>
      this.store.headObject(key, call),
    )
    return found && (found.lastModified ?? 0)
  }

  /** Puts it in place of what is there. */
  async put(key: string, text: string): Promise<void> {
    await this.#put(key, text, {})
  }

  /**
   * Puts it where nothing is; resolves to what is there then, which another may
   * have put before. It is looked at first: a versioned bucket of OSS does not mind
   * the condition, and a plan that is begun again must not take another's place.
   * `beforePut` may refuse.
   */
  async putNew(
    key: string,
    text: string,
    { maxBytes = mostText, beforePut = nothing }: PutNewOptions = {},
  ): Promise<string> {
    const before = await this.get(key, maxBytes)
    if (before !== undefined) return before
    await beforePut()
    try {
      await this.#put(key, text, { forbidOverwrite: true })
      return text
    } catch (error) {
      if (kindOf(error) !== 'exists') throw error
      const there = await this.get(key, maxBytes)
      if (there === undefined) throw error
      return there
    }
  }

  #put(key: string, text: string, object: ObjectOptions): Promise<unknown> {
    const bytes = Buffer.from(text, 'utf8')
    const md5 = hasMd5()
      ? createHash('md5').update(bytes).digest('base64')
      : undefined
    const request = {
      key,
      object: { contentType: 'application/x-ndjson', ...object },
      size: bytes.length,
      md5,
      async *body() {
        yield bytes
      },
    }
    return this.#ask('a part of the plan', (call) =>
      this.store.putObject(request, call),
    )
  }

  async #ask<T>(
    what: string,
    send: Parameters<StoreQuestions['requests']['send']>[1] extends (
      call: infer C,
    ) => unknown
      ? (call: C) => Promise<T>
      : never,
  ): Promise<T> {
    const { requests, told } = this.#questions
    try {
      const { answer } = await requests.send({ what, isStoring: true }, send)
      return answer
    } catch (error) {
      throw kindOf(error) === 'exists' ? error : told(error)
    }
  }
}
