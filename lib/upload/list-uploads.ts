/** Unfinished uploads, all pages of them. What is stored of them costs money. */
import { UploadError } from '../errors.js'
import { asError } from '../realm.js'
import { checkKnownOptions } from '../known-options.js'
import { ownSignal } from '../signals.js'
import type {
  ListedPart,
  ListedUpload,
  ObjectStore,
} from '../store/object-store.js'
import { abortUpload, listAllParts } from './calls/look.js'
import { Requests } from './calls/requests.js'
import { realUploadEnvironment } from './options/environment.js'
import { checkRequestOptions } from './options/option-names.js'
import {
  aSignal,
  checkStore,
  optional,
  readRequestSettings,
  type RequestOptions,
  wholeNumber,
} from './options/settings.js'
import { withKept } from './run/errors.js'

/** Requests at once. */
const askedAhead = 4

type Found = AsyncGenerator<UnfinishedUpload, void, undefined>

/** An upload that is neither complete nor aborted. Times by the server's clock. */
export interface UnfinishedUpload {
  /** The object's key. */
  key: string
  /** The server's name for the upload. */
  uploadId: string
  /** ms since 1970 */
  initiated: number
  /** ms since it was initiated. */
  age: number
  /** Parts that are stored; undefined when they were not asked for, or refused. */
  parts: number | undefined
  /** Bytes in them. */
  size: number | undefined
  /**
   * ms since the newest part was stored, or since it was initiated when there
   * is none; undefined when the server does not say it, or not what time it is.
   */
  idle: number | undefined
}

/** Which uploads {@link listUploads} lists, and how it asks. */
export interface ListUploadsOptions extends Pick<
  RequestOptions,
  'retry' | 'timeout' | 'requestPayer'
> {
  /** Of the keys; default: the whole bucket. */
  prefix?: string
  /** Ask for the parts of each upload, a request or more each. Default true. */
  sizes?: boolean
  /** Aborting it ends the list with an error. */
  signal?: AbortSignal
}

/**
 * The unfinished uploads under a prefix, ordered by key.
 *
 * Throws `PAWL_INVALID_OPTION`, and what the server refuses the list with.
 *
 * @example
 * for await (const { key, size, age } of listUploads(store, { prefix: 'backups/' })) {
 *   console.log(key, size, age)
 * }
 */
export function listUploads(
  store: ObjectStore,
  options: ListUploadsOptions = {},
): AsyncGenerator<UnfinishedUpload, void, undefined> {
  checkStore(store)
  checkListOptions('listUploads', options, ['sizes'])
  return asking(store, options, (requests) => listAll(store, options, requests))
}

/** Asks until the caller's signal is aborted, if it is. */
async function* asking(
  store: ObjectStore,
  options: ListUploadsOptions,
  ask: (requests: Requests) => Found,
): Found {
  const { signal, letGo } = ownSignal(options.signal)
  const { requests, told } = requestsFor(store, { ...options, signal })
  try {
    yield* ask(requests)
  } catch (error) {
    throw told(error)
  } finally {
    letGo()
  }
}

async function* listAll(
  store: ObjectStore,
  { prefix, sizes = true }: ListUploadsOptions,
  requests: Requests,
): Found {
  let markers: { keyMarker?: string; uploadIdMarker?: string } = {}
  for (;;) {
    const { answer } = await requests.send(
      { what: 'the list of uploads' },
      (call) => store.listUploads({ prefix, ...markers }, call),
    )
    const { uploads, next, date } = answer
    const partsOf = ({ key, uploadId }: ListedUpload) =>
      sizes ? listAllParts(requests, { key, store }, uploadId) : 'refused'
    for await (const [upload, listed] of ahead(uploads, partsOf)) {
      const { key, uploadId, initiated } = upload
      // Completed or aborted since the page was made.
      if (listed === 'gone') continue
      const stored = listed === 'refused' ? undefined : [...listed.values()]
      const newest = stored && newestOf(stored, initiated)
      yield {
        key,
        uploadId,
        initiated,
        age: (date ?? realUploadEnvironment.now()) - initiated,
        parts: stored?.length,
        size: stored?.reduce((sum, { size }) => sum + size, 0),
        // Without the server's clock nothing says how old its parts are.
        idle:
          newest === undefined || date === undefined
            ? undefined
            : date - newest,
      }
    }
    if (next === undefined) return
    mustAdvance(store, markers, next)
    markers = next
  }
}

/** Each item with its answer, in order, while some further ones are asked for. */
async function* ahead<T, U>(
  items: readonly T[],
  ask: (item: T) => Promise<U> | U,
): AsyncGenerator<[T, U], void, undefined> {
  const answers = new Map<T, Promise<U>>()
  const waiting = items.values()
  const askNext = (): void => {
    const { done, value } = waiting.next()
    if (done === true) return
    const answer = Promise.resolve(ask(value))
    // Its failure is told when its turn comes.
    answer.catch(() => undefined)
    answers.set(value, answer)
  }
  for (let i = 0; i < askedAhead; i++) askNext()
  for (const [item, answer] of answers) {
    const found = await answer
    answers.delete(item)
    askNext()
    yield [item, found]
  }
}

function checkListOptions(
  of: string,
  options: ListUploadsOptions,
  own: readonly string[],
): void {
  const common = ['prefix', 'retry', 'timeout', 'requestPayer', 'signal']
  checkKnownOptions(options, { of, names: [...common, ...own] })
  checkRequestOptions(options)
  readRequestSettings(options, realUploadEnvironment)
  optional(options.signal, aSignal)
}

/** Calls of a store for what belongs to no upload of this process. */
export interface StoreQuestions {
  requests: Requests
  /** What they failed with, once it says whether to repeat them. */
  told: (thrown: unknown) => Error
}

export function requestsFor(
  store: ObjectStore,
  { signal = new AbortController().signal, ...options }: ListUploadsOptions,
): StoreQuestions {
  const environment = realUploadEnvironment
  const facts = environment.facts.of(store)
  const settings = { ...readRequestSettings(options, environment), facts }
  const requests = new Requests(settings, signal, () => undefined)
  const told = (thrown: unknown): Error =>
    withKept(asError(thrown), { isLogged: false, facts }, { requests })
  return { requests, told }
}

/** When something of it was last stored; undefined when nobody can tell. */
function newestOf(
  parts: readonly ListedPart[],
  initiated: number,
): number | undefined {
  let newest = initiated
  for (const { lastModified } of parts) {
    if (lastModified === undefined) return undefined
    newest = Math.max(newest, lastModified)
  }
  return newest
}

function mustAdvance(
  { identity }: ObjectStore,
  from: { keyMarker?: string; uploadIdMarker?: string },
  next: { keyMarker: string; uploadIdMarker: string },
): void {
  if (
    next.keyMarker !== from.keyMarker ||
    next.uploadIdMarker !== from.uploadIdMarker
  ) {
    return
  }
  throw new UploadError(
    'PAWL_RESPONSE',
    `the list of uploads from ${identity} does not advance: a page is followed by itself`,
  )
}

/** Which uploads {@link abortUploads} aborts. */
export interface AbortUploadsOptions extends Omit<ListUploadsOptions, 'sizes'> {
  /**
   * ms. Uploads are aborted when nothing was stored of them for longer than
   * this, by the server's clock. Anything younger is never touched.
   */
  olderThan: number
}

/**
 * Aborts the unfinished uploads under a prefix that are older than `olderThan`,
 * measured from the newest part, and resolves to them. An upload whose parts
 * cannot be listed has no known age, and is left alone.
 *
 * Rejects with `PAWL_INVALID_OPTION`, and with the first refusal of the server;
 * what was aborted before it stays aborted.
 *
 * @example
 * const day = 24 * 60 * 60 * 1000
 * const gone = await abortUploads(store, { prefix: 'backups/', olderThan: 7 * day })
 */
export async function abortUploads(
  store: ObjectStore,
  given: AbortUploadsOptions,
): Promise<UnfinishedUpload[]> {
  checkStore(store)
  checkListOptions('abortUploads', given, ['olderThan'])
  const { olderThan, ...options } = given
  wholeNumber('olderThan', olderThan, 0)
  const aborted: UnfinishedUpload[] = []
  const abortIdle = async function* (requests: Requests): Found {
    for await (const upload of listAll(store, options, requests)) {
      const { key, uploadId, idle } = upload
      if (idle === undefined || idle <= olderThan) continue
      await abortUpload(requests, { key, store }, uploadId)
      yield upload
    }
  }
  for await (const upload of asking(store, options, abortIdle)) {
    aborted.push(upload)
  }
  return aborted
}
