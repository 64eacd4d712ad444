import type { Xxh64 } from '../hash/xxh64.js'
import { PartBuffers } from './source/part-buffers.js'
import { PartCutter } from './source/part-cutter.js'
import type { UploadSettings } from './options/settings.js'
import type { UploadRun } from './run/run.js'

/** What cuts a stream's bytes into the parts of a run, behind those it skipped. */
export function cutterOf(
  run: UploadRun,
  xxh64: Xxh64,
  {
    concurrency,
    environment,
  }: Pick<UploadSettings, 'concurrency' | 'environment'>,
  onError: (error: Error) => void,
): PartCutter {
  return new PartCutter({
    buffers: new PartBuffers(run.partSize, concurrency + 1, {
      spares: environment.spares,
    }),
    xxh64,
    collections: environment.collections,
    firstPartNumber: run.partsTaken + 1,
    onPart: (part, next) => {
      run.take(part)
      next()
    },
    onError,
  })
}
