/** What users write types with: every name of the package, from outside. */
import { createReadStream } from 'node:fs'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  CallbackError,
  createPartStream,
  listUploads,
  memoryCheckpoint,
  s3Store,
  UploadError,
  uploadBytes,
  uploadFile,
  type ErrorCode,
  type ObjectStore,
  type OssCredentials,
  type PartEvent,
  type ResumableUploadStream,
  type UploadFileOptions,
  type UploadResult,
} from 'pawl'
import { startDevServer, type Fault, type SeenRequest } from 'pawl/dev-server'
import { checkpointContract, type ContractCase } from 'pawl/testing'

export * from 'pawl'

export const cases: ContractCase[] = checkpointContract({
  checkpoint: () => memoryCheckpoint(),
})

export const fault: Fault = { kind: 'status', status: 503 }
export const provider = async (): Promise<OssCredentials> => ({
  accessKeyId: 'id',
  accessKeySecret: 'secret',
})

export async function main(store: ObjectStore): Promise<UploadResult> {
  const server = await startDevServer({
    fault: ({ operation }: SeenRequest) =>
      operation === 'UploadPart' ? fault : undefined,
  })
  for await (const { key, age } of listUploads(store)) console.log(key, age)
  createPartStream({ partSize: 1 }).destroy()
  const options: UploadFileOptions = {
    store: s3Store({ bucket: 'examplebucket', endpoint: server.endpoint }),
    key: 'key',
    on: { part: ({ partNumber }: PartEvent) => console.log(partNumber) },
  }
  try {
    return await uploadFile('file', options)
  } catch (error) {
    const code: ErrorCode | undefined =
      error instanceof UploadError ? error.code : undefined
    console.log(code)
    throw error
  } finally {
    await server.close()
  }
}

/** Whatever is caught: the code says what else there is. */
export function etagOf(error: unknown): string | undefined {
  if (!(error instanceof UploadError)) return undefined
  if (error.code === 'PAWL_CALLBACK_FAILED') return error.result.etag
  // @ts-expect-error: only that one has a result.
  void error.result
  switch (error.code) {
    case 'PAWL_NETWORK':
      return error.key
    // @ts-expect-error: there is no such code.
    case 'PAWL_NETWORKS':
      return error.uploadId
    default:
      return error.requestId
  }
}

/** Of a type that is known: nothing of it is left where the answer is no. */
export function lengthOf(found: string[] | UploadError): number {
  return found instanceof UploadError ? 0 : found.length
}

export function isOver(error: Error): boolean {
  return error instanceof CallbackError
    ? error.result.size > 0
    : error instanceof UploadError && error.code === 'PAWL_CALLBACK_FAILED'
}

export async function listen(upload: ResumableUploadStream): Promise<void> {
  const onPart = ({ partNumber }: PartEvent): void => console.log(partNumber)
  upload
    .on('part', onPart)
    .once('resumed', ({ offset }) => console.log(offset))
    .addListener('retry', ({ error }) => console.log(error.code))
    .prependListener('progress', ({ bytesDone }) => console.log(bytesDone))
    .prependOnceListener('restarted', ({ reason }) => console.log(reason))
    .on('error', (error) => console.log(error.message))
    .on('finish', () => console.log('done'))
    .off('part', onPart)
    .removeListener('part', onPart)
  // @ts-expect-error: a name that is misspelt is never heard of.
  upload.on('parts', onPart)
  // @ts-expect-error: nor here.
  upload.once('progres', () => undefined)
  // @ts-expect-error: nor here.
  upload.off('part ', onPart)
  // @ts-expect-error: a part has no such field.
  upload.addListener('part', ({ number }) => console.log(number))
  const writable: Writable = upload
  writable.on('close', () => undefined)
  await pipeline(createReadStream('file'), upload)
}

export async function bytes(store: ObjectStore): Promise<void> {
  const options = { store, key: 'key' }
  await uploadBytes(Buffer.from('text'), options)
  await uploadBytes(new Uint8Array(3), options)
  await uploadBytes(new Uint8Array(3).buffer, options)
  await uploadBytes(new Blob(['text']), { ...options, checkpoint: './log' })
  await uploadFile(new URL('file:///file'), options)
  // @ts-expect-error: a text has an encoding, which its owner knows.
  await uploadBytes('text', options)
}
