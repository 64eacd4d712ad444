import { setTimeout as delay } from 'node:timers/promises'
import {
  abortUploads,
  listUploads,
  type ObjectStore,
  type UnfinishedUpload,
} from 'pawl'

const hour = 60 * 60 * 1000

export interface CleanUpOptions {
  prefix: string
  /** ms; longer than any upload is ever left alone and then gone on with. */
  olderThan: number
  /** ms between two rounds. Default an hour. */
  every?: number
  signal: AbortSignal
  onRound: (round: {
    removed: UnfinishedUpload[]
    kept: { uploads: number; bytes: number }
  }) => void
  /** The next round tries again. */
  onError: (error: unknown) => void
}

/** Removes forgotten uploads, round after round, until the signal. */
export async function keepClean(
  store: ObjectStore,
  options: CleanUpOptions,
): Promise<void> {
  const { prefix, olderThan, every = hour, signal } = options
  while (!signal.aborted) {
    try {
      const removed = await abortUploads(store, { prefix, olderThan, signal })
      const kept = { uploads: 0, bytes: 0 }
      for await (const { size = 0 } of listUploads(store, { prefix, signal })) {
        kept.uploads += 1
        kept.bytes += size
      }
      options.onRound({ removed, kept })
    } catch (error) {
      if (!signal.aborted) options.onError(error)
    }
    await delay(every, undefined, { signal }).catch(() => undefined)
  }
}
