/** A run of an upload whose parts come from other machines. */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { invalidOption, UploadError } from '../errors.js'
import type { ObjectHead } from '../store/object-store.js'
import {
  checkCheckpoint,
  openableCheckpoint,
} from '../upload/options/checkpoint-place.js'
import type { UploadResult } from '../upload-result.js'
import type { UploadSettings } from '../upload/options/settings.js'
import { type KnownObject, toldOf } from '../upload/rules/outcome.js'
import { suspended } from '../upload/run/errors.js'
import type { UploadLog } from '../upload/run/log.js'
import type { OpenRun } from '../upload/run/open-run.js'
import { UploadRun } from '../upload/run/run.js'

/** What becomes of an open run: its object, or nothing but what is in its log. */
export type Outcome<T> = { complete: true } | { leave: T }

export interface RunWork<T> {
  settings: UploadSettings
  checkpoint: string | Checkpoint
  /** Looks at the log before anything of it is acted on. */
  opened: (log: UploadLog) => Promise<void>
  work: (open: OpenRun, log: UploadLog) => Promise<Outcome<T>>
}

/** Rejects with why the run has failed; then nothing of it is left but its log. */
export async function onRun<T>({
  settings,
  checkpoint,
  opened,
  work,
}: RunWork<T>): Promise<T | UploadResult> {
  const { key, signal } = settings
  const place = await openableCheckpoint(checkpoint, settings)
  const logs: UploadLog[] = []
  const run = new UploadRun({
    settings,
    checkpoint: async () => place,
    emit: () => undefined,
    scope: undefined,
    opened: async (log) => {
      logs.push(log)
      await opened(log)
    },
  })
  let left: { value: T } | undefined
  try {
    const open = await run.open()
    const [log] = logs
    if (log === undefined) throw new Error('an open run without a log')
    const outcome = await work(open, log)
    if ('complete' in outcome) open.finish()
    else {
      left = { value: outcome.leave }
      const { uploadId } = run
      void run.suspend(suspended({ key, uploadId, isLogged: true }))
    }
  } catch (error) {
    run.fail(error)
  }
  const ending = await run.ending
  if (ending.how === 'done') return ending.result
  // The signal came first, or the log could not be written.
  if (left === undefined || ending.how !== 'suspended') throw ending.error
  if (signal?.aborted === true) throw ending.error
  return left.value
}

/** Throws `PAWL_INVALID_OPTION` for what cannot hold the log of such an upload. */
export function checkSharedLog(
  checkpoint: unknown,
): asserts checkpoint is string | Checkpoint {
  checkCheckpoint(checkpoint)
  if (checkpoint !== false) return
  invalidOption(
    'checkpoint: an upload by several machines needs a log, by which it is completed',
  )
}

/** Throws for a server on which a late part of some machine breaks the object. */
export function refuseLateParts({
  store,
  key,
}: Pick<UploadSettings, 'store' | 'key'>): void {
  if (store.takesLateParts !== true) return
  throw new UploadError(
    'PAWL_INVALID_OPTION',
    'this server (OpenStack Swift) takes parts of an upload that is complete, and breaks the object with them: a machine that was paused could do so at any time, so no object is uploaded there by several; use uploadFile() or a stream',
    { key },
  )
}

/** Of an object that was found to be there: nothing of it was sent by this call. */
export function claimedResult(
  head: ObjectHead,
  settings: Pick<UploadSettings, 'store' | 'key' | 'object'>,
  known: KnownObject,
  { checkpointLeft }: Pick<UploadResult, 'checkpointLeft'>,
): UploadResult {
  return {
    ...toldOf(head, known, settings),
    partsReused: known.parts,
    bytesReused: known.size,
    resumed: true,
    checkpointLeft,
  }
}
