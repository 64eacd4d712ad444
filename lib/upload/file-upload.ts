/**
 * The upload of one open file: runs of it until one ends in the object.
 *
 * A file can always be read again, so a run whose upload turned out to be void, as when
 * the server has lost it, is followed by one that begins anew. Any other failure ends
 * the upload, and so does the signal; both leave a log to go on from.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import type { LogState } from '../checkpoint/fold.js'
import { type PartSizes, partsOf, partSizeAt } from '../checkpoint/growth.js'
import type { AtOnce } from '../store/slots.js'
import type { Emit } from './options/events.js'
import type { ProgressCounter } from './options/progress.js'
import { heldAtOnce } from './options/part-sizes.js'
import type { UploadResult } from '../upload-result.js'
import {
  filePartsOf,
  needsDigests,
  type UploadSettings,
} from './options/settings.js'
import type { OpenRun } from './run/open-run.js'
import { UploadRun } from './run/run.js'
import type { UploadScope } from './run/trace.js'
import { FileParts, piecesOf } from './source/file-parts.js'
import type { FileSource } from './source/file-source.js'
import { MemoryContent } from './source/part-content.js'

export interface FileUploadOptions {
  source: FileSource
  /** With the file's size. */
  settings: UploadSettings
  checkpoint: Checkpoint
  /** Files shorter than this, in bytes, are put in one request. */
  multipartThreshold: number
  /** `identity`: stored parts of a file that is unchanged are not read. */
  prove: 'identity' | 'hash'
  /** What it throws ends the upload. */
  emit: Emit
  /** While somebody watches the upload. */
  scope: UploadScope | undefined
}

/** All there is. */
const oneAtOnce: AtOnce = { allowed: 1, watch: () => undefined }

/** A server that loses uploads as fast as they are begun is not asked for ever. */
const mostRuns = 3

/** When it settles, nothing of it is left but the log. */
export async function uploadOpenFile(
  options: FileUploadOptions,
): Promise<UploadResult> {
  const { source, settings, checkpoint, scope, emit } = options
  const { digests } = settings.environment
  if (needsDigests(settings) && !source.isSmall) digests.warmUp()
  let progress: ProgressCounter | undefined
  let known: LogState | undefined
  for (let runs = 1; ; runs++) {
    const run = new UploadRun({
      settings,
      checkpoint: async () => checkpoint,
      file: source.sight,
      checkSource: (taken) => source.mustBeAsTaken(taken, digests),
      emit,
      scope,
      progress,
      known,
    })
    progress = run.progress
    try {
      const open = await run.open()
      await feed(run, open, options)
      open.finish()
    } catch (error) {
      // The run's own failure, or the source's, which ends the run.
      run.fail(error)
    }
    const ending = await run.ending
    if (ending.how === 'done') return ending.result
    if (ending.how !== 'begins-anew' || runs === mostRuns) throw ending.error
    // Its lock is held until the disk answers.
    if (run.isLogStuck) throw ending.error
    const { reason } = ending
    if (reason === 'upload-gone') emit('restarted', { reason })
    progress.startOver()
    ;({ known } = run)
  }
}

async function feed(
  { progress, signal }: UploadRun,
  open: OpenRun,
  options: FileUploadOptions,
): Promise<void> {
  const { source, settings, prove, multipartThreshold } = options
  const { digests } = settings.environment
  const { size } = source
  const isWhole = open.isPutWhole(size, multipartThreshold)
  if (isWhole && source.isSmall) {
    const bytes = [await source.readWhole()]
    const content = new MemoryContent(bytes, undefined, digests, {
      isOwn: true,
    })
    progress.read(size)
    const release = (): void => undefined
    open.takeWhole({ partNumber: 1, offset: 0, size, content, release })
    return
  }
  const parts = new FileParts(
    source,
    {
      ...filePartsOf(settings, isWhole ? size : largestIn(size, open.sizes)),
      atOnce: isWhole ? oneAtOnce : open.atOnce,
      // The MD5 of what is put, where there is one, goes before the bytes.
      ...(isWhole && {
        held: heldAtOnce(size, { ...settings, concurrency: 1 }),
        isKept: true,
      }),
    },
    settings.environment,
    (bytes) => progress.read(bytes),
  )
  if (isWhole) {
    const whole = { partNumber: 1, offset: 0, size }
    open.takeWhole(await parts.take(whole, signal))
    return
  }
  open.begin()
  for (const piece of piecesOf(size, open.sizes)) {
    signal.throwIfAborted()
    // Parts are proved in order, the unread among those that are read.
    if (open.isProving) await open.idle()
    if (prove === 'identity' && open.takeUnread(piece)) {
      progress.read(piece.size)
    } else {
      open.takePart(await parts.take(piece, signal))
    }
  }
}

/** Bytes; parts are as large only where so many bytes come to them. */
function largestIn(size: number, sizes: PartSizes): number {
  return Math.min(size, partSizeAt(sizes, partsOf(sizes, size)))
}
