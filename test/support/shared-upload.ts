/** One object by several machines, all of them here, on a dev server. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { DevServerOptions } from '../../lib/dev-server/index.js'
import {
  type ObjectStore,
  UploadError,
  type UploadResult,
} from '../../lib/index.js'
import {
  beginUpload,
  type BeginUploadOptions,
  completeUpload,
  type CompleteUploadOptions,
  file,
  type PartReceipt,
  type Ticket,
  uploadParts,
  type UploadPartsOptions,
} from '../../lib/shared/index.js'
import { devStore, noise, type DevStore } from './dev-store.js'
import { smallStore } from './small-store.js'

export const key = 'backups/db.dump'
/** Bytes. */
export const partSize = 4096

const retry = { attempts: 5, baseDelay: 1, maxDelay: 2 }

export interface SharedUpload extends DevStore {
  small: ObjectStore
  bytes: Buffer
  path: string
  log: string
  begin(more?: Partial<BeginUploadOptions>): Promise<Ticket>
  send(
    ticket: Ticket,
    more?: Partial<UploadPartsOptions>,
  ): Promise<PartReceipt[]>
  complete(
    ticket: Ticket,
    receipts: readonly PartReceipt[],
    more?: Partial<CompleteUploadOptions>,
  ): Promise<UploadResult>
}

export async function sharedUpload(
  t: Test,
  {
    size = 10 * partSize + 5,
    wrap = smallStore,
    ...options
  }: DevServerOptions & {
    size?: number
    wrap?: (store: ObjectStore) => ObjectStore
  } = {},
): Promise<SharedUpload> {
  const dev = await devStore(t, { minPartSize: 1, ...options })
  const small = wrap(dev.store)
  const bytes = noise(size, size + 1)
  const path = join(dev.directory, 'db.dump')
  const log = join(dev.directory, 'log.pawl')
  await writeFile(path, bytes)
  const common = { store: small, retry }
  return {
    ...dev,
    small,
    bytes,
    path,
    log,
    async begin(more) {
      const begun = await beginUpload({
        ...common,
        key,
        size,
        partSize,
        checkpoint: log,
        ...more,
      })
      if ('done' in begun) throw new Error('the object was not to be there')
      return begun
    },
    send: (ticket, more) =>
      uploadParts(ticket, { ...common, source: file(path), ...more }),
    complete: (ticket, receipts, more) =>
      completeUpload(ticket, { ...common, checkpoint: log, receipts, ...more }),
  }
}

/** What a call fails with; throws when it does not. */
export async function failureIn(work: Promise<unknown>): Promise<UploadError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof UploadError) return error
  throw new Error('it was to fail with an UploadError', { cause: error })
}
