/**
 * What is asked when the source has ended, before anything is made of it or
 * given up for it: a clean end is not a whole source.
 */
import { asError, UploadError } from '../../errors.js'
import type { RunContext } from './context.js'

/** Whatever may still keep the object from being made: the caller, the source. */
export async function askBeforeComplete(
  context: RunContext,
  candidate: { size: number; crc64: string | undefined },
): Promise<void> {
  await askCaller(context, candidate)
  await context.checkSource()
  context.signal.throwIfAborted()
}

async function askCaller(
  { settings, signal }: RunContext,
  candidate: { size: number; crc64: string | undefined },
): Promise<void> {
  const { beforeComplete, key } = settings
  if (beforeComplete === undefined) return
  let onAbort = (): void => undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(asError(signal.reason))
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    signal.throwIfAborted()
    await Promise.race([
      Promise.resolve().then(() => beforeComplete(candidate)),
      aborted,
    ])
  } catch (cause) {
    signal.throwIfAborted()
    throw new UploadError(
      'PAWL_BEFORE_COMPLETE',
      `beforeComplete did not agree, so nothing was completed: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause, key, resumable: true },
    )
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
