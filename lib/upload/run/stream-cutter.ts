import { type MemorySettings, roomFor } from '../options/part-sizes.js'
import type { UploadSettings } from '../options/settings.js'
import { PartBuffers, type PartRoom, pooled } from '../source/part-buffers.js'
import { KeptContent, MemoryContent } from '../source/part-content.js'
import { type CuttingTools, PartCutter } from '../source/part-cutter.js'
import type { OpenRun } from './open-run.js'

export { loadCuttingTools } from '../source/part-cutter.js'

/** What cuts a stream's bytes into the parts of a run. */
export function cutterOf(
  run: OpenRun,
  tools: CuttingTools,
  settings: MemorySettings &
    Pick<UploadSettings, 'environment' | 'chunkCollections'>,
  onError: (error: Error) => unknown,
): PartCutter {
  const { pool, collections, digests, timer } = settings.environment
  const { sizes, atOnce } = run
  const room = (): PartRoom =>
    roomFor({ ...settings, concurrency: atOnce.allowed })
  const memory = pooled(pool, true)
  const buffers = new PartBuffers(sizes.partSize, room(), memory, {
    isShortFirst: true,
    // So many at once are the caller's own word.
    timer: settings.isConcurrencyFixed ? undefined : timer,
  })
  atOnce.watch(() => buffers.allow(room()))
  return new PartCutter({
    sizes,
    buffers,
    tools,
    collections: settings.chunkCollections ? collections : undefined,
    expected: (partNumber) => run.expected(partNumber),
    onPart: ({ pieces, copied, xxh64: hash, ...part }, next) => {
      const content =
        copied === undefined
          ? new MemoryContent(pieces, hash, digests)
          : new KeptContent(part.size, hash, copied, digests)
      // A short first part is all there is.
      const isAll = part.partNumber === 1 && part.size < sizes.partSize
      if (isAll) run.takeWhole({ ...part, content })
      else run.takePart({ ...part, content })
      next()
    },
    onError,
  })
}
