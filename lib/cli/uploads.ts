/** `pawl uploads` and `pawl abort`: unfinished uploads on the server. */
import { abortUploads, listUploads, type UnfinishedUpload } from '../index.js'
import { plainText } from './plain-text.js'
import type { Output } from './reporter.js'
import type { Target } from './target.js'
import { countOf, formatDuration, formatSize } from './units.js'

export interface UploadsJob {
  target: Target
  out: Output
  isJson: boolean
  signal: AbortSignal
}

/** `sizes`: a request more for each upload. */
export async function uploads(job: UploadsJob, sizes: boolean): Promise<void> {
  const { target, signal, out, isJson } = job
  const { store, key: prefix } = target
  let count = 0
  let bytes = 0
  for await (const upload of listUploads(store, { prefix, sizes, signal })) {
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

export async function abort(job: UploadsJob, olderThan: number): Promise<void> {
  const { target, signal, out, isJson } = job
  const { store, key: prefix } = target
  const gone = await abortUploads(store, { prefix, olderThan, signal })
  for (const upload of gone) await tell(job, 'aborted', upload)
  if (isJson) return
  const bytes = gone.reduce((sum, { size = 0 }) => sum + size, 0)
  out.write(`${gone.length} aborted, ${formatSize(bytes)} freed\n`)
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
