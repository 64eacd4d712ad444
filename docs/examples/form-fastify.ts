import { randomUUID } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import multipart from '@fastify/multipart'
import fastify, { type FastifyInstance } from 'fastify'
import {
  createResumableUploadStream,
  UploadError,
  type ObjectStore,
} from 'pawl'

/** Takes one file of a form at `POST /files`, of at most so many bytes. */
export async function formApp(
  store: ObjectStore,
  fileSize: number,
): Promise<FastifyInstance> {
  const app = fastify()
  await app.register(multipart, { limits: { fileSize, files: 1 } })
  app.post('/files', async (request, reply) => {
    const form = await request.file()
    if (form === undefined) return reply.code(400).send()
    const { file, filename, mimetype } = form
    const upload = createResumableUploadStream({
      store,
      key: `forms/${randomUUID()}`,
      checkpoint: false,
      object: {
        contentType: mimetype,
        metadata: { filename: encodeURIComponent(filename) },
      },
      // A file over the limit ends like a whole one: only `truncated` tells.
      beforeComplete: () => {
        if (file.truncated) throw new Error('the file is too large')
      },
    })
    try {
      await pipeline(file, upload)
    } catch (error) {
      const isTooLarge =
        error instanceof UploadError && error.code === 'PAWL_BEFORE_COMPLETE'
      if (isTooLarge) return reply.code(413).send()
      throw error
    }
    const { key, size } = await upload.result
    return reply.code(201).send({ key, size })
  })
  return app
}
