import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import {
  createResumableUploadStream,
  UploadError,
  type UploadResult,
  type UploadStreamOptions,
} from 'pawl'

/** Undefined when it was suspended by SIGINT or SIGTERM: the same call goes on. */
export async function uploadUntilStopped(
  path: string,
  options: UploadStreamOptions,
): Promise<UploadResult | undefined> {
  const stop = new AbortController()
  const onSignal = (name: string) => stop.abort(new Error(`stopped by ${name}`))
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  try {
    const upload = createResumableUploadStream({
      ...options,
      signal: stop.signal,
    })
    await pipeline(createReadStream(path), upload)
    return await upload.result
  } catch (error) {
    const isSuspended =
      error instanceof UploadError && error.code === 'PAWL_SUSPENDED'
    if (isSuspended && stop.signal.aborted) return undefined
    throw error
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}
