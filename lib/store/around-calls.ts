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
  send: () => Promise<T>,
  request: RequestAround,
) => Promise<T>

export function aroundCalls(store: ObjectStore, around: Around): ObjectStore {
  const send = <T>(
    name: StoreCallName,
    call: Call,
    request: () => Promise<T>,
    size = 0,
  ): Promise<T> => around(name, request, { size, call })
  return {
    identity: store.identity,
    bucket: store.bucket,
    limits: store.limits,
    digest: store.digest,
    keepsMetadata: store.keepsMetadata,
    precedence: store.precedence,
    maxRate: store.maxRate,
    get takesLateParts() {
      return store.takesLateParts
    },
    fixedHeaders: (object) => store.fixedHeaders(object),
    sentHeaders: (object) => store.sentHeaders?.(object) ?? {},
    canMark: (object) => store.canMark?.(object) ?? true,
    createUpload: (request, call) =>
      send('createUpload', call, () => store.createUpload(request, call)),
    uploadPart: (request, call) =>
      send(
        'uploadPart',
        call,
        () => store.uploadPart(request, call),
        request.size,
      ),
    listParts: (request, call) =>
      send('listParts', call, () => store.listParts(request, call)),
    completeUpload: (request, call) =>
      send('completeUpload', call, () => store.completeUpload(request, call)),
    abortUpload: (request, call) =>
      send('abortUpload', call, () => store.abortUpload(request, call)),
    listUploads: (request, call) =>
      send('listUploads', call, () => store.listUploads(request, call)),
    putObject: (request, call) =>
      send(
        'putObject',
        call,
        () => store.putObject(request, call),
        request.size,
      ),
    headObject: (key, call) =>
      send('headObject', call, () => store.headObject(key, call)),
    // A store may lack these two, and then so does this one.
    ...(store.getObject === undefined
      ? {}
      : {
          getObject: (request: GetObjectRequest, call: Call) =>
            send('getObject', call, async () =>
              store.getObject?.(request, call),
            ),
        }),
    ...(store.deleteObject === undefined
      ? {}
      : {
          deleteObject: (key: string, call: Call) =>
            send('deleteObject', call, async () =>
              store.deleteObject?.(key, call),
            ),
        }),
    close: () => store.close(),
  }
}
