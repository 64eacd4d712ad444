import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { pipeline } from 'node:stream/promises'
import busboy from 'busboy'
import {
  createResumableUploadStream,
  UploadError,
  type ObjectStore,
  type UploadResult,
} from 'pawl'

/** Takes the files of an HTML form, of at most so many bytes each. */
export function formServer(store: ObjectStore, fileSize: number): Server {
  return createServer((request, response) => {
    receive(request, store, fileSize).then(
      (objects) => {
        const keys = objects.map(({ key, size }) => ({ key, size }))
        response.writeHead(201, { 'content-type': 'application/json' })
        response.end(JSON.stringify(keys))
      },
      (error: unknown) => {
        const isTooLarge =
          error instanceof UploadError && error.code === 'PAWL_BEFORE_COMPLETE'
        // What is not read of the form is not waited for.
        response.writeHead(isTooLarge ? 413 : 500, { connection: 'close' })
        response.end()
      },
    )
  })
}

async function receive(
  request: IncomingMessage,
  store: ObjectStore,
  fileSize: number,
): Promise<UploadResult[]> {
  const form = busboy({ headers: request.headers, limits: { fileSize } })
  const uploads: Promise<UploadResult>[] = []
  form.on('file', (_field, file, { filename = 'file', mimeType }) => {
    const upload = createResumableUploadStream({
      store,
      key: `forms/${randomUUID()}`,
      // A browser sends everything again: there is nothing to go on from.
      checkpoint: false,
      object: {
        contentType: mimeType,
        metadata: { filename: encodeURIComponent(filename) },
      },
      // A file over the limit ends like a whole one: only `truncated` tells.
      beforeComplete: () => {
        if (file.truncated === true) throw new Error('the file is too large')
      },
    })
    const done = pipeline(file, upload).then(() => upload.result)
    // Nobody reads the file any more: the form would wait for ever.
    done.catch((error: Error) => form.destroy(error))
    uploads.push(done)
  })
  await pipeline(request, form)
  return Promise.all(uploads)
}
