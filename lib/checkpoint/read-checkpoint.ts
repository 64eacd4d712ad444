/** Looks into a log for people: changes nothing, takes no lock, sends nothing. */
import { loadXxh64 } from '../hash/xxh64.js'
import { fileFailed, fileUnsafe } from './file-errors.js'
import { filePath, type FilePath } from '../file-path.js'
import { nodeFileSystem } from './file-system.js'
import type { LogState, UploadState } from './fold.js'
import { type GrowthStep, partSizeAt } from './growth.js'
import { readWhole } from './read-whole.js'
import { notACheckpoint, readLog } from './reader.js'

/**
 * How far the upload of a log is: nothing sent, parts stored, Complete sent or about
 * to be and not refused for certain, the object there, the upload given up, no header left to tell.
 */
export type CheckpointStatus =
  'empty' | 'uploading' | 'completing' | 'done' | 'discarded' | 'damaged'

/** What a log says. Sizes in bytes, times in ms since 1970. */
export interface CheckpointSummary {
  /** Where the log is. */
  path: string
  /** How far the upload is. */
  state: CheckpointStatus
  /** The store's identity. */
  store?: string
  /** The bucket's name. */
  bucket?: string
  /** The object's key. */
  key?: string
  /** The current upload's ID on the server. */
  uploadId?: string
  /** Of every part but the last, before `growth`. */
  partSize?: number
  /** Where parts become larger; absent: nowhere. */
  growth?: readonly GrowthStep[]
  /** Parts that are stored. */
  parts: number
  /** Bytes in them. */
  bytesStored: number
  /** The end of the longest run of stored parts from part 1. */
  bytesContiguous: number
  /** When the current upload began, or else the last run. */
  time?: number
  /** Runs that used the log. */
  runs: number
  /** Why the upload was given up. */
  reason?: string
  /** Uploads whose abort on the server is not confirmed. */
  unclosed: string[]
  /** Records lost or not understood; they cost only what they held. */
  damagedRecords: number
  /** The log's own length. */
  size: number
}

/**
 * Reads the log at a path. Rejects with `PAWL_NOT_A_CHECKPOINT`,
 * `PAWL_CHECKPOINT_VERSION` or `PAWL_CHECKPOINT_IO`.
 */
export async function readCheckpoint(
  log: FilePath,
): Promise<CheckpointSummary> {
  const path = filePath(
    log,
    'readCheckpoint(path): the path of a log is required',
  )
  return summaryOf(path, await readBytes(path))
}

/** What the bytes of a log say; `path` is where it is, or its name. */
export async function summaryOf(
  path: string,
  bytes: Uint8Array,
): Promise<CheckpointSummary> {
  const reading = readLog(bytes, await loadXxh64(), path)
  const summary: CheckpointSummary = {
    path,
    state: 'empty',
    parts: 0,
    bytesStored: 0,
    bytesContiguous: 0,
    runs: 0,
    unclosed: [],
    damagedRecords: 0,
    size: bytes.length,
  }
  if (reading.kind === 'empty') return summary
  if (reading.kind === 'damaged') return { ...summary, state: 'damaged' }
  const { state, damage } = reading
  const { store, bucket, key, partSize, time } = state.header
  return {
    ...summary,
    store,
    bucket,
    key,
    partSize,
    time,
    state: statusOf(state),
    runs: state.runs.size,
    unclosed: [...state.unclosed],
    // A line that does not verify leaves its number missing as well.
    damagedRecords: Math.max(damage.lines, damage.missing) + damage.refused,
    ...(state.upload && summarize(state.upload)),
  }
}

function statusOf({ upload, put }: LogState): CheckpointStatus {
  if (put !== undefined) return put.done === undefined ? 'completing' : 'done'
  if (upload === undefined) return 'empty'
  if (upload.voided !== undefined) return 'discarded'
  if (upload.done !== undefined) return 'done'
  return upload.mayBeComplete ? 'completing' : 'uploading'
}

function summarize(upload: UploadState) {
  const { uploadId, partSize, growth, time, voided, parts } = upload
  let [bytesStored, bytesContiguous] = [0, 0]
  for (const { size } of parts.values()) bytesStored += size
  for (let number = 1; ; number++) {
    const size = parts.get(number)?.size
    if (size === undefined) break
    bytesContiguous += size
    if (size < partSizeAt(upload, number)) break
  }
  return {
    uploadId,
    partSize,
    time,
    bytesStored,
    bytesContiguous,
    parts: parts.size,
    ...(growth !== undefined && { growth }),
    ...(voided !== undefined && { reason: voided }),
  }
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const handle = await nodeFileSystem.open(path, 'reading')
    try {
      const found = await handle.stat()
      if (found.isDirectory()) throw notACheckpoint(`${path}, a directory,`)
      if (!found.isFile()) throw fileUnsafe(path, 'is not a regular file')
      return await readWhole(handle, path)
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw fileFailed(path, 'read', error)
  }
}
