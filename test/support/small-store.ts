/** A store whose limits are small, so that tests need few bytes for many parts. */
import type { ObjectStore, StoreLimits } from '../../lib/store/object-store.js'

/** Everything goes through `around`, named by its call; it may fail or wait. */
export type Around = <T>(
  call: StoreCallName,
  run: () => Promise<T>,
) => Promise<T>

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

const passing: Around = (_call, run) => run()

/** The same store with other limits, and with something around each call. */
export function wrapStore(
  store: ObjectStore,
  {
    limits = {},
    around = passing,
  }: { limits?: Partial<StoreLimits>; around?: Around } = {},
): ObjectStore {
  return {
    identity: store.identity,
    bucket: store.bucket,
    limits: { ...store.limits, ...limits },
    digest: store.digest,
    keepsMetadata: store.keepsMetadata,
    precedence: store.precedence,
    get takesLateParts() {
      return store.takesLateParts
    },
    fixedHeaders: (object) => store.fixedHeaders(object),
    sentHeaders: (object) => store.sentHeaders?.(object) ?? {},
    canMark: (object) => store.canMark?.(object) ?? true,
    createUpload: (request, call) =>
      around('createUpload', () => store.createUpload(request, call)),
    uploadPart: (request, call) =>
      around('uploadPart', () => store.uploadPart(request, call)),
    listParts: (request, call) =>
      around('listParts', () => store.listParts(request, call)),
    completeUpload: (request, call) =>
      around('completeUpload', () => store.completeUpload(request, call)),
    abortUpload: (request, call) =>
      around('abortUpload', () => store.abortUpload(request, call)),
    listUploads: (request, call) =>
      around('listUploads', () => store.listUploads(request, call)),
    putObject: (request, call) =>
      around('putObject', () => store.putObject(request, call)),
    headObject: (key, call) =>
      around('headObject', () => store.headObject(key, call)),
    getObject: (request, call) =>
      around('getObject', async () => store.getObject?.(request, call)),
    deleteObject: (key, call) =>
      around('deleteObject', async () => store.deleteObject?.(key, call)),
    close: () => store.close(),
  }
}

/** The same store for parts of one byte and more. */
export function smallStore(
  store: ObjectStore,
  limits: Partial<StoreLimits> = {},
): ObjectStore {
  return wrapStore(store, { limits: { minPartSize: 1, ...limits } })
}
