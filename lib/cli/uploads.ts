/** `pawl uploads` and `pawl abort`: unfinished uploads on the server. */
import { listUploads, UploadError, type UnfinishedUpload } from '../index.js'
import { abandonedUploads, fateOf, type Fate } from '../job/abandoned.js'
import { exitCodes, ToldFailure } from './exit-code.js'
import { plainText } from './plain-text.js'
import type { Output } from './reporter.js'
import { given, type Target } from './target.js'
import { countOf, formatDuration, formatSize } from './units.js'

export interface UploadsJob {
  target: Target
  out: Output
  /** For people who look on. */
  log: Output
  isJson: boolean
  signal: AbortSignal
}

export interface UploadsFlags {
  /** A request more for each upload. */
  sizes: boolean
  /** ms since the newest part was stored; with sizes only. */
  olderThan?: number
  /** ms in which requests may fail. */
  patience?: number
}

export interface AbortFlags {
  /** ms since the newest part was stored. */
  olderThan: number
  dryRun?: boolean
  /** ms in which requests may fail. */
  patience?: number
}

export async function uploads(
  job: UploadsJob,
  { sizes, olderThan, patience }: UploadsFlags,
): Promise<void> {
  if (olderThan !== undefined && !sizes) {
    throw new UploadError(
      'PAWL_INVALID_OPTION',
      '--older-than needs the parts of each upload: leave out --no-sizes',
    )
  }
  const { target, signal, out, isJson } = job
  const { store, key: prefix } = target
  let count = 0
  let bytes = 0
  const retry = given({ patience })
  const options = { prefix, sizes, signal, retry }
  for await (const upload of listUploads(store, options)) {
    if (
      olderThan !== undefined &&
      fateOf(upload, olderThan) !== 'would-abort'
    ) {
      continue
    }
    count++
    bytes += upload.size ?? 0
    // Asking for thousands more makes no sense once their reader has gone.
    if (!(await tell(job, 'upload', upload))) return
  }
  if (isJson) return
  const stored = sizes ? `, ${formatSize(bytes)} stored` : ''
  out.write(
    count === 0 ? 'no unfinished uploads\n' : `${count} unfinished${stored}\n`,
  )
}

/** Rejects with a `ToldFailure` when uploads of unknown age were left alone. */
export async function abort(
  job: UploadsJob,
  { olderThan, dryRun = false, patience }: AbortFlags,
): Promise<void> {
  const { target, signal, out, log, isJson } = job
  const { store, key: prefix } = target
  const counts: Record<Fate, number> = {
    aborted: 0,
    'would-abort': 0,
    young: 0,
    'unknown-age': 0,
  }
  let bytes = 0
  for await (const [upload, fate] of abandonedUploads(store, {
    prefix,
    olderThan,
    dryRun,
    signal,
    retry: given({ patience }),
  })) {
    counts[fate] += 1
    if (fate === 'aborted' || fate === 'would-abort') bytes += upload.size ?? 0
    if (fate !== 'young') await tell(job, fate, upload)
  }
  if (!isJson) {
    const { young } = counts
    const what = dryRun
      ? `${counts['would-abort']} would be aborted, ${formatSize(bytes)} stored`
      : `${counts.aborted} aborted, ${formatSize(bytes)} freed`
    const left = young === 0 ? '' : `, ${young} too young`
    out.write(`${what}${left}\n`)
  }
  const unknown = counts['unknown-age']
  if (unknown === 0) return
  log.write(
    `pawl: ${countOf(unknown, 'upload')} of unknown age left alone: the parts may not be listed, so nobody knows whether somebody still sends some. Have ListParts allowed, or give up a single one: pawl discard FILE URL\n`,
  )
  throw new ToldFailure(exitCodes.failed)
}

/** Resolves, when it is written, to whether somebody reads it. */
function tell(
  { out, isJson, target }: UploadsJob,
  event: string,
  upload: UnfinishedUpload,
): Promise<boolean> {
  const url = target.urlOf(upload.key)
  const text = isJson
    ? JSON.stringify({ event, url, ...upload })
    : uploadText(upload, url)
  return new Promise((resolve) => {
    out.write(`${text}\n`, (error) => resolve(error == null))
  })
}

function uploadText(upload: UnfinishedUpload, url: string): string {
  const { age, idle, parts, size, uploadId } = upload
  const told = [
    parts === undefined || size === undefined
      ? undefined
      : `${countOf(parts, 'part')}, ${formatSize(size)}`,
    `begun ${formatDuration(age)} ago`,
    idle === undefined ? undefined : `idle for ${formatDuration(idle)}`,
    `upload ${plainText(uploadId)}`,
  ]
  const known = told.filter((text) => text !== undefined)
  return `${plainText(url)}\n  ${known.join(', ')}`
}
