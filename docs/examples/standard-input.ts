import { pipeline } from 'node:stream/promises'
import {
  createResumableUploadStream,
  type UploadResult,
  type UploadStreamOptions,
} from 'pawl'

/** Standard input as an object; it must be `size` bytes long, when that is known. */
export async function uploadStandardInput(
  options: UploadStreamOptions,
): Promise<UploadResult> {
  const upload = createResumableUploadStream(options)
  upload.on('resumed', ({ parts }) => {
    process.stderr.write(`${parts} parts are stored already\n`)
  })
  await pipeline(process.stdin, upload)
  return upload.result
}
