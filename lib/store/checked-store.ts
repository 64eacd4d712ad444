/**
 * A store as uploads use it, whoever has written it: an answer that is not as its
 * contract has it is a `StoreError`, of the kind `response`, before anything is made
 * of it; so is what was thrown and is no error of ours. What became of the request
 * is then as open as after any other answer that cannot be understood.
 */
import { invalidOption, shown, UploadError } from '../errors.js'
import { isUint8Array, messageOf } from '../realm.js'
import { aroundCalls, type StoreCallName } from './around-calls.js'
import type { ObjectStore } from './object-store.js'
import { StoreError } from './store-error.js'

/** The calls of an own store may fail in any way; an `UploadError` is as it should be. */
export function asStoreError(thrown: unknown): UploadError {
  if (thrown instanceof UploadError) return thrown
  return new StoreError(
    `the store failed with what is no StoreError: ${messageOf(thrown)}`,
    { kind: 'response', cause: thrown },
  )
}

const known = new WeakMap<ObjectStore, ObjectStore>()

/** One for each store, however many uploads it has. */
export function checkedStore(store: ObjectStore): ObjectStore {
  const before = known.get(store)
  if (before !== undefined) return before
  const checked = checksAround(store)
  known.set(store, checked)
  return checked
}

function checksAround(store: ObjectStore): ObjectStore {
  const checked = aroundCalls(store, async (name, send) => {
    const answer = await send()
    if (isAnswer[name](answer)) return answer
    throw new StoreError(
      `${name} of the store resolved to ${shown(answer)}, which is no answer to it`,
      { kind: 'response' },
    )
  })
  checked.fixedHeaders = (object) =>
    headersBy('fixedHeaders', () => store.fixedHeaders(object))
  checked.sentHeaders = (object) =>
    headersBy('sentHeaders', () => store.sentHeaders?.(object) ?? {})
  checked.canMark = (object) =>
    asked('canMark', () => store.canMark?.(object) ?? true)
  return checked
}

/** What is asked before any request: that it fails is the options' fault. */
function asked<T>(name: string, ask: () => T): T {
  try {
    return ask()
  } catch (cause) {
    if (cause instanceof UploadError) throw cause
    throw new UploadError(
      'PAWL_INVALID_OPTION',
      `store: its ${name}() failed: ${messageOf(cause)}`,
      { cause },
    )
  }
}

function headersBy(
  name: string,
  ask: () => Record<string, string>,
): Record<string, string> {
  const headers = asked(name, ask)
  return isRecord(headers)
    ? headers
    : invalidOption(`store: its ${name}() gave ${shown(headers)}, no headers`)
}

type Check = (value: unknown) => boolean

const isAnything: Check = () => true
const isText: Check = (value) => typeof value === 'string'
const isName: Check = (value) => typeof value === 'string' && value !== ''
const isTime: Check = (value) => Number.isFinite(value)
const isWhole: Check = (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0
const isMarkers = shape({ keyMarker: isText, uploadIdMarker: isText })

const isReceipt = shape({ etag: isText, crc64: orNone(isText) })
const ofHead = {
  etag: isText,
  size: isWhole,
  crc64: orNone(isText),
  lastModified: orNone(isTime),
  mark: orNone(isText),
}

/** As much of each answer as anything rests on. */
const isAnswer: Record<StoreCallName, Check> = {
  createUpload: shape({ uploadId: isName, date: orNone(isTime) }),
  uploadPart: shape({ etag: isName, crc64: orNone(isText) }),
  listParts: shape({
    parts: listOf(
      shape({
        partNumber: isWhole,
        etag: isText,
        size: isWhole,
        crc64: orNone(isText),
        lastModified: orNone(isTime),
      }),
    ),
    next: orNone(isWhole),
  }),
  completeUpload: isReceipt,
  abortUpload: isAnything,
  listUploads: shape({
    uploads: listOf(
      shape({ key: isText, uploadId: isName, initiated: isTime }),
    ),
    next: orNone(isMarkers),
    date: orNone(isTime),
  }),
  putObject: isReceipt,
  headObject: orNone(shape(ofHead)),
  getObject: orNone(shape({ ...ofHead, bytes: isUint8Array })),
  deleteObject: isAnything,
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function shape(fields: Readonly<Record<string, Check>>): Check {
  const checks = Object.entries(fields)
  return (value) =>
    isRecord(value) && checks.every(([name, is]) => is(value[name]))
}

function listOf(is: Check): Check {
  return (value) => Array.isArray(value) && value.every(is)
}

function orNone(is: Check): Check {
  return (value) => value === undefined || value === null || is(value)
}
