/** Uploads of small parts to a dev server, and what tests want to know of them. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Test } from 'tap'
import type { DevServerOptions } from '../../lib/dev-server/index.js'
import {
  UploadError,
  type ObjectStore,
  type UploadResult,
  type UploadStreamOptions,
} from '../../lib/index.js'
import {
  realUploadEnvironment,
  type UploadEnvironment,
} from '../../lib/upload/options/environment.js'
import { ResumableUploadStream } from '../../lib/upload/stream.js'
import { devStore, type DevStore } from './dev-store.js'
import { smallStore } from './small-store.js'

export const key = 'backups/db.dump'
/** Bytes. */
export const part = 4096

export interface SmallUploads extends DevStore {
  /** Of small parts. */
  small: ObjectStore
  log: string
  logExists(): boolean
  /** An upload stream with small parts and quick retries; on another clock, if one is given. */
  upload(
    options?: Partial<UploadStreamOptions>,
    environment?: UploadEnvironment,
  ): ResumableUploadStream
  /** A whole run. */
  run(
    bytes: Buffer,
    options?: Partial<UploadStreamOptions>,
  ): Promise<UploadResult>
  /** A run that has to fail. */
  fail(
    bytes: Buffer,
    options?: Partial<UploadStreamOptions>,
  ): Promise<UploadError>
  /** Numbers of the parts that were requested, from a request on. */
  partsSince(index: number): number[]
}

export async function smallUploads(
  t: Test,
  options: DevServerOptions = {},
): Promise<SmallUploads> {
  const dev = await devStore(t, { minPartSize: 1, ...options })
  const log = join(dev.directory, 'log.pawl')
  const small = smallStore(dev.store)
  const upload: SmallUploads['upload'] = (
    more = {},
    environment = realUploadEnvironment,
  ) => {
    const options = {
      store: small,
      key,
      checkpoint: log,
      partSize: part,
      // Which parts are beside each other must not depend on the line.
      concurrency: 4,
      retry: { attempts: 5, baseDelay: 1, maxDelay: 2 },
      ...more,
    }
    return new ResumableUploadStream(options, environment)
  }
  const run: SmallUploads['run'] = async (bytes, more) => {
    const stream = upload(more)
    await send(stream, bytes)
    return stream.result
  }
  return {
    ...dev,
    small,
    log,
    logExists: () => existsSync(log),
    upload,
    run,
    async fail(bytes, more) {
      const stream = upload(more)
      await send(stream, bytes).catch(() => undefined)
      return failureOf(stream)
    },
    partsSince: (index) =>
      dev.server.requests
        .slice(index)
        .filter(({ operation }) => operation === 'UploadPart')
        .map(({ partNumber = 0 }) => partNumber)
        .toSorted((a, b) => a - b),
  }
}

/** Settles with `pipeline`, and only when the upload has settled too. */
export async function send(
  upload: ResumableUploadStream,
  bytes: Buffer,
  chunk = 1500,
): Promise<void> {
  try {
    await pipeline(Readable.from(chunksOf(bytes, chunk)), upload)
  } finally {
    await upload.result.catch(() => undefined)
  }
}

export function* chunksOf(bytes: Buffer, size = 1500) {
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size)
  }
}

/** What an upload failed with; throws when it did not. */
export async function failureOf(
  upload: ResumableUploadStream,
): Promise<UploadError> {
  const error: unknown = await upload.result.catch((reason: unknown) => reason)
  if (error instanceof UploadError) return error
  throw new Error('the upload was to fail with an UploadError', {
    cause: error,
  })
}

/**
 * Resolves when `isSo`: looks once a turn of the event loop, and later each
 * millisecond, so that who waits for long leaves the processor to what it waits for.
 */
export async function until(isSo: () => boolean): Promise<void> {
  for (let looks = 0; !isSo(); looks++) {
    await new Promise<void>((resolve) => {
      if (looks < 100) setImmediate(resolve)
      else setTimeout(resolve, 1)
    })
  }
}
