import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import {
  createResumableUploadStream,
  UploadError,
  type Checkpoint,
  type ObjectStore,
} from 'pawl'

/** What it takes to hand the log on, and to be called again, when time is up. */
export interface Job {
  url: string
  key: string
}

/** Of AWS Lambda's context, what is used; Function Compute has the same by its deadline. */
export interface Context {
  getRemainingTimeInMillis(): number
}

/** ms: for parts that are nearly stored, and for the answer. */
const reserve = 5000

/**
 * Copies what a URL has into a bucket. `done: false`: time was up, and the same job,
 * given to the function again, goes on. `logOf` has to outlive the function's machine.
 */
export function copyHandler(
  store: ObjectStore,
  logOf: (key: string) => Checkpoint,
) {
  return async (
    { url, key }: Job,
    context: Context,
  ): Promise<{ done: boolean; size?: number }> => {
    const left = Math.max(0, context.getRemainingTimeInMillis() - reserve)
    const signal = AbortSignal.timeout(left)
    const upload = createResumableUploadStream({
      store,
      key,
      checkpoint: logOf(key),
      signal,
    })
    try {
      const answer = await fetch(url, { signal })
      if (!answer.ok || answer.body === null) {
        throw new Error(`${url} answered ${answer.status}`)
      }
      await pipeline(Readable.fromWeb(answer.body), upload)
      return { done: true, size: (await upload.result).size }
    } catch (error) {
      if (!signal.aborted) throw error
      // What it says is true when it has settled: the log is free from then on.
      const ended: unknown = await upload.result.catch((why: unknown) => why)
      const isSuspended =
        ended instanceof UploadError && ended.code === 'PAWL_SUSPENDED'
      if (isSuspended) return { done: false }
      throw error
    } finally {
      await upload[Symbol.asyncDispose]()
    }
  }
}
