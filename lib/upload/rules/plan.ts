/**
 * What a run starts from, decided before the first byte of the source is taken.
 *
 * Pure: it is given what the log says and what the store said, and says what to
 * do next. A Complete that may have happened is looked for before anything else;
 * an upload that this call's options do not fit is not gone on with.
 */
import type { LogState, UploadState } from '../../checkpoint/fold.js'
import { equalParts, type PartSizes, roomIn } from '../../checkpoint/growth.js'
import type {
  CompletingUploadRecord,
  PartRecord,
} from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type { StoreLimits } from '../../store/object-store.js'
import type { RestartReason } from '../options/events.js'
import type { UploadSettings } from '../options/settings.js'
import type { ClaimedObject } from './claim.js'
import type { Listed } from './judge.js'

/** What the log alone lets a run do. */
export type FirstStep =
  | { do: 'create' }
  | { do: 'restart'; upload: UploadState; reason: RestartReason }
  /** Complete may have happened: look before anything else. */
  | { do: 'look'; upload: UploadState; completing: CompletingUploadRecord }
  | { do: 'list'; upload: UploadState }

/**
 * The upload that a log is of: not void, and its result was not handed out, since
 * whatever is uploaded after that is another object.
 */
export function ownUpload({ upload }: LogState): UploadState | undefined {
  if (upload?.voided !== undefined || upload?.isTold === true) return undefined
  return upload
}

/** What the log of this target, if there is one, lets this run do. */
export function firstStep(
  state: LogState,
  settings: UploadSettings,
): FirstStep {
  const upload = ownUpload(state)
  if (upload === undefined) return { do: 'create' }
  const { completing, done } = upload
  if (completing !== undefined) return { do: 'look', upload, completing }
  if (done !== undefined) {
    // Its `completing` was lost to damage; what is left proves nothing.
    return { do: 'restart', upload, reason: 'log-damaged' }
  }
  const reason = whyNotContinued(upload, settings)
  if (reason !== undefined) return { do: 'restart', upload, reason }
  return { do: 'list', upload }
}

/** Undefined when an upload that is still open may be gone on with. */
export function whyNotContinued(
  upload: UploadState,
  settings: UploadSettings,
): RestartReason | undefined {
  const isSaid = settings.unsaid !== 'fixed'
  if (isSaid && upload.optionsDigest !== settings.digests.options) {
    return 'options-changed'
  }
  const { limits } = settings.store
  if (!fits(upload, settings.size, limits)) return 'part-size'
  if (limits.equalParts === true && upload.growth !== undefined) {
    return equalParts
  }
  return undefined
}

/** Throws `PAWL_CHECKPOINT_MISMATCH` for a log of another target. */
export function checkTarget(
  { header }: LogState,
  settings: Pick<UploadSettings, 'store' | 'key'>,
): void {
  const { store, key } = settings
  if (
    header.store === store.identity &&
    header.bucket === store.bucket &&
    header.key === key
  ) {
    return
  }
  throw new UploadError(
    'PAWL_CHECKPOINT_MISMATCH',
    `the checkpoint belongs to another target: ${JSON.stringify(header.key)} in ${header.store}, not ${JSON.stringify(key)} in ${store.identity}; give each target its own, or remove it`,
    { key },
  )
}

/** Whether a store takes such parts, and has enough of them for a source. */
function fits(
  sizes: PartSizes,
  size: number | undefined,
  { minPartSize, maxPartSize, maxParts }: StoreLimits,
): boolean {
  const all = [sizes, ...(sizes.growth ?? [])]
  return (
    all.every(
      ({ partSize }) => partSize >= minPartSize && partSize <= maxPartSize,
    ) &&
    (size === undefined || size <= roomIn(sizes, maxParts))
  )
}

/**
 * What an earlier run has put, or not, where it may not be put over: only a source
 * that is put whole again can be known for it.
 */
export interface UnheardPut {
  /** Bytes. */
  size: number
  /** Of a run that has put it so: a source of these bytes was less than a part. */
  partSize: number
}

/**
 * The PutObject that may have made what this run may not overwrite. A run since then
 * may have asked for smaller parts, and has put it whole all the same.
 */
export function unheardPut(
  { put, runs }: Pick<LogState, 'put' | 'runs'>,
  { object, partSize }: Pick<UploadSettings, 'object' | 'partSize'>,
): UnheardPut | undefined {
  const { completing, isTold } = put ?? {}
  if (completing === undefined || isTold === true) return undefined
  if (object.forbidOverwrite !== true) return undefined
  const { size } = completing
  const whole = [...runs.values()].findLast((run) => run.partSize > size)
  return { size, partSize: whole?.partSize ?? partSize }
}

/** What a run starts from. */
export type Plan =
  | { mode: 'create'; unheard?: UnheardPut | undefined }
  | { mode: 'resume'; upload: UploadState; listed: Listed; stored: StoredRun }
  /** The object is there already; the source is read and proved, nothing is sent. */
  | ({ mode: 'claim'; stored: StoredRun } & ClaimedObject)

/** What a source that is entered in the middle may be entered behind. */
type StoredRun = readonly PartRecord[]

/** What a run cuts its source into: the log says it of an upload that is gone on with. */
export function partSizesOf(
  plan: Plan,
  { equalParts }: Pick<LogState, 'equalParts'>,
  settings: Pick<
    UploadSettings,
    'partSize' | 'growth' | 'wantedPartSize' | 'size' | 'store'
  >,
): PartSizes {
  if (plan.mode !== 'create') {
    const { partSize, growth } = plan.upload
    return { partSize, growth }
  }
  const { wantedPartSize, size, store } = settings
  const partSize = plan.unheard?.partSize ?? settings.partSize
  const isOpenEnded = wantedPartSize === undefined && size === undefined
  if (isOpenEnded && equalParts !== undefined) {
    // As large as the largest were: what had room then has room now.
    const largest = Math.min(equalParts, store.limits.maxPartSize)
    return { partSize: Math.max(partSize, largest) }
  }
  const growth = settings.growth?.filter((step) => step.partSize > partSize)
  return { partSize, growth: growth?.length === 0 ? undefined : growth }
}
