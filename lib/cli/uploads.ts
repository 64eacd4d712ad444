/** `pawl uploads` and `pawl abort`: unfinished uploads on the server. */
import { abortUploads, listUploads, type UnfinishedUpload } from '../index.js'
import type { Output } from './reporter.js'
import type { Target } from './target.js'
import { formatDuration, formatSize } from './units.js'

export interface UploadsJob {
  target: Target
  out: Output
  isJson: boolean
  signal: AbortSignal
}

export async function uploads(job: UploadsJob): Promise<void> {
  const { target, signal, out, isJson } = job
  const { store, key: prefix } = target
  let count = 0
  let bytes = 0
  for await (const upload of listUploads(store, { prefix, signal })) {
    count++
    bytes += upload.size ?? 0
    tell(job, 'upload', upload)
  }
  if (isJson) return
  out.write(
    count === 0
      ? 'no unfinished uploads\n'
      : `${count} unfinished, ${formatSize(bytes)} stored\n`,
  )
}

export async function abort(job: UploadsJob, olderThan: number): Promise<void> {
  const { target, signal, out, isJson } = job
  const { store, key: prefix } = target
  const gone = await abortUploads(store, { prefix, olderThan, signal })
  for (const upload of gone) tell(job, 'aborted', upload)
  if (isJson) return
  const bytes = gone.reduce((sum, { size = 0 }) => sum + size, 0)
  out.write(`${gone.length} aborted, ${formatSize(bytes)} freed\n`)
}

function tell(
  { out, isJson, target }: UploadsJob,
  event: string,
  upload: UnfinishedUpload,
): void {
  const url = target.urlOf(upload.key)
  if (isJson) {
    out.write(`${JSON.stringify({ event, url, ...upload })}\n`)
    return
  }
  const { age, idle, parts, size, uploadId } = upload
  const stored =
    parts === undefined || size === undefined
      ? 'parts unknown'
      : `${parts} parts, ${formatSize(size)}`
  const rest = idle === undefined ? 'unknown' : formatDuration(idle)
  out.write(
    `${url}\n  ${stored}, begun ${formatDuration(age)} ago, idle for ${rest}, upload ${uploadId}\n`,
  )
}
