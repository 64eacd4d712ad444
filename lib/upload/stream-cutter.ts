import type { Xxh64 } from '../hash/xxh64.js'
import { PartBuffers } from './source/part-buffers.js'
import { PartCutter } from './source/part-cutter.js'
import { spareBuffers } from './source/spare-buffers.js'
import type { UploadSettings } from './options/settings.js'
import type { UploadRun } from './run/run.js'

/** What cuts a stream's bytes into the parts of a run, behind those it skipped. */
export function cutterOf(
  run: UploadRun,
  xxh64: Xxh64,
  { concurrency }: Pick<UploadSettings, 'concurrency'>,
  onError: (error: Error) => void,
): PartCutter {
  return new PartCutter({
    buffers: new PartBuffers(run.partSize, concurrency + 1, {
      spares: spareBuffers,
    }),
    xxh64,
    firstPartNumber: run.partsTaken + 1,
    onPart: (part, next) => {
      run.take(part)
      next()
    },
    onError,
  })
}
