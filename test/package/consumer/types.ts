/** What users write types with: every name of the package, from outside. */
import {
  createPartStream,
  listUploads,
  s3Store,
  UploadError,
  uploadFile,
  type ErrorCode,
  type ObjectStore,
  type OssCredentials,
  type PartEvent,
  type UploadFileOptions,
  type UploadResult,
} from 'pawl'
import { startDevServer, type Fault, type SeenRequest } from 'pawl/dev-server'

export * from 'pawl'

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
