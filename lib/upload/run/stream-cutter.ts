import type { Xxh64 } from '../../hash/xxh64.js'
import { type MemorySettings, partsInHand } from '../options/memory.js'
import type { UploadSettings } from '../options/settings.js'
import { PartBuffers, pooled } from '../source/part-buffers.js'
import { PartCutter } from '../source/part-cutter.js'
import type { OpenRun } from './open-run.js'

/** What a stream writes into. */
export type StreamCutter = Pick<PartCutter, 'write' | 'end' | 'destroy'>

/** What cuts a stream's bytes into the parts of a run, behind those it skipped. */
export function cutterOf(
  run: OpenRun,
  xxh64: Xxh64,
  settings: MemorySettings & Pick<UploadSettings, 'environment'>,
  onError: (error: Error) => void,
): StreamCutter {
  const { pool, collections } = settings.environment
  const { partSize, atOnce } = run
  const mostNow = (): number => {
    const { allowed } = atOnce
    return partsInHand(partSize, { ...settings, concurrency: allowed })
  }
  const buffers = new PartBuffers(partSize, mostNow(), pooled(pool, true), {
    isShortFirst: true,
  })
  atOnce.watch(() => buffers.allow(mostNow()))
  return new PartCutter({
    buffers,
    xxh64,
    collections,
    firstPartNumber: run.partsTaken + 1,
    onPart: (part, next) => {
      run.take(part)
      next()
    },
    onError,
  })
}
