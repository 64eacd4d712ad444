/** Upload streams to a dev server whose parts are of the usual size. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { SeenRequest } from '../../lib/dev-server/index.js'
import {
  createResumableUploadStream,
  UploadError,
  type ResumableUploadStream,
  type UploadStreamOptions,
} from '../../lib/index.js'
import { smallPart, type DevStore } from './dev-store.js'
import { chunksOf, until } from './small-upload.js'

export const key = 'backups/db.dump'

export function uploadTo(
  { store, directory }: DevStore,
  options: Partial<UploadStreamOptions> = {},
): ResumableUploadStream {
  return createResumableUploadStream({
    store,
    key,
    checkpoint: join(directory, 'log.pawl'),
    partSize: smallPart,
    retry: { attempts: 5, baseDelay: 1, maxDelay: 5 },
    ...options,
  })
}

export function send(
  upload: ResumableUploadStream,
  bytes: Buffer,
): Promise<void> {
  return pipeline(Readable.from(chunksOf(bytes, 16_384)), upload)
}

/** Destroys the upload when `count` parts are stored; resolves when it has settled. */
export async function sendSome(
  upload: ResumableUploadStream,
  bytes: Buffer,
  count: number,
): Promise<UploadError> {
  let stored = 0
  upload.on('part', () => {
    if (++stored === count) upload.destroy()
  })
  await send(upload, bytes).catch(() => undefined)
  const error: unknown = await upload.result.catch((reason: unknown) => reason)
  if (error instanceof UploadError) return error
  throw new Error('the upload was to be suspended')
}

/** Destroys an upload whose object is complete and whose answer never comes. */
export async function destroyInComplete(
  dev: DevStore,
  bytes: Buffer,
): Promise<{ sending: Promise<void>; upload: ResumableUploadStream }> {
  dev.server.setFault((request) =>
    request.operation === 'CompleteMultipartUpload'
      ? { kind: 'silence', apply: true }
      : undefined,
  )
  const upload = uploadTo(dev)
  const sending = send(upload, bytes)
  sending.catch(() => undefined)
  await until(() => dev.seen('CompleteMultipartUpload')[0]?.applied === true)
  upload.destroy()
  return { sending, upload }
}

export function logExists({ directory }: DevStore): boolean {
  return existsSync(join(directory, 'log.pawl'))
}

export function partNumbers(requests: SeenRequest[]): (number | undefined)[] {
  return requests
    .map(({ partNumber }) => partNumber)
    .toSorted((a = 0, b = 0) => a - b)
}
