/** A store that is another one, with something around each of its requests. */
import type { Call, GetObjectRequest, ObjectStore } from './object-store.js'

/** The calls that send a request. */
export type StoreCallName =
  | 'createUpload'
  | 'uploadPart'
  | 'listParts'
  | 'completeUpload'
  | 'abortUpload'
  | 'listUploads'
  | 'putObject'
  | 'headObject'
  | 'getObject'
  | 'deleteObject'

/** What a request is, to whoever is around it. */
export interface RequestAround {
  /** Bytes of the body of a part or an object; 0 for all other requests. */
  size: number
  call: Call
}

/** Sends a request by `send`, now or later, or fails in its place. */
export type Around = <T>(
  name: StoreCallName,
  /** With what is to be different in its call. */
  send: (more?: Partial<Call>) => Promise<T>,
  request: RequestAround,
) => Promise<T>

export function aroundCalls(store: ObjectStore, around: Around): ObjectStore {
  const send = <T>(
    name: StoreCallName,
    call: Call,
    request: (call: Call) => Promise<T>,
    size = 0,
  ): Promise<T> =>
    around(name, (more) => request({ ...call, ...more }), { size, call })
  return {
    get identity() {
      return store.identity
    },
    get bucket() {
      return store.bucket
    },
    get limits() {
      return store.limits
    },
    get digest() {
      return store.digest
    },
    get keepsMetadata() {
      return store.keepsMetadata
    },
    get precedence() {
      return store.precedence
    },
    get maxRate() {
      return store.maxRate
    },
    get takesLateParts() {
      return store.takesLateParts
    },
    fixedHeaders: (object) => store.fixedHeaders(object),
    sentHeaders: (object) => store.sentHeaders?.(object) ?? {},
    canMark: (object) => store.canMark?.(object) ?? true,
    createUpload: (request, call) =>
      send('createUpload', call, (own) => store.createUpload(request, own)),
    uploadPart: (request, call) =>
      send(
        'uploadPart',
        call,
        (own) => store.uploadPart(request, own),
        request.size,
      ),
    listParts: (request, call) =>
      send('listParts', call, (own) => store.listParts(request, own)),
    completeUpload: (request, call) =>
      send('completeUpload', call, (own) => store.completeUpload(request, own)),
    abortUpload: (request, call) =>
      send('abortUpload', call, (own) => store.abortUpload(request, own)),
    listUploads: (request, call) =>
      send('listUploads', call, (own) => store.listUploads(request, own)),
    putObject: (request, call) =>
      send(
        'putObject',
        call,
        (own) => store.putObject(request, own),
        request.size,
      ),
    headObject: (key, call) =>
      send('headObject', call, (own) => store.headObject(key, own)),
    // A store may lack these two, and then so does this one.
    ...(store.getObject === undefined
      ? {}
      : {
          getObject: (request: GetObjectRequest, call: Call) =>
            send('getObject', call, async (own) =>
              store.getObject?.(request, own),
            ),
        }),
    ...(store.deleteObject === undefined
      ? {}
      : {
          deleteObject: (key: string, call: Call) =>
            send('deleteObject', call, async (own) =>
              store.deleteObject?.(key, own),
            ),
        }),
    close: () => store.close(),
  }
}
