/** What all logs say, read as any run would read them. */
import type { LogState } from '../../../lib/checkpoint/fold.js'
import { readLog } from '../../../lib/checkpoint/reader.js'
import { loadXxh64 } from '../../../lib/hash/xxh64.js'
import { logPath } from '../places.js'
import type { Logs } from '../process.js'
import type { Run } from '../run.js'
import type { Scene } from '../scene.js'

const xxh64 = await loadXxh64()

/** What is read again and again, by the bytes: those of a disk never change. */
const known = new WeakMap<Buffer, LogState | undefined>()

/** Undefined when there is none that can be read. */
export function logOn(logs: Logs, path = logPath): LogState | undefined {
  return logIn(logs.read(path), path)
}

/** Of the bytes of a log. */
export function logIn(
  bytes: Buffer | undefined,
  path = logPath,
): LogState | undefined {
  if (bytes === undefined) return undefined
  if (!known.has(bytes)) known.set(bytes, stateIn(bytes, path))
  return known.get(bytes)
}

/**
 * What a run was given to read: a step that was on its way to an engine when it began
 * can come before its own.
 */
export function logGivenTo(
  { engine }: Pick<Scene, 'engine'>,
  { number, startLog }: Run,
): LogState | undefined {
  return engine === undefined ? startLog : logIn(engine.givenTo(number))
}

function stateIn(bytes: Buffer, path: string): LogState | undefined {
  try {
    const reading = readLog(bytes, xxh64, path)
    return reading.kind === 'log' ? reading.state : undefined
  } catch {
    // It belongs to somebody else.
    return undefined
  }
}

/** The upload that a next run would go on with. */
export function openUploadIn(state: LogState | undefined) {
  const upload = state?.upload
  const isOpen =
    upload !== undefined &&
    upload.voided === undefined &&
    upload.done === undefined
  return isOpen ? upload : undefined
}

/** Whether a log says that a Complete of an upload was about to be sent. */
export function namesComplete(
  state: LogState | undefined,
  uploadId: string,
): boolean {
  if (state?.rivals.has(uploadId) === true) return true
  const { upload } = state ?? {}
  return (
    upload?.uploadId === uploadId &&
    (upload.completing ?? upload.done) !== undefined
  )
}

/** Whether a log leaves open what became of a Complete, not all being refused for good. */
export function leavesOpen(
  state: LogState | undefined,
  uploadId: string,
): boolean {
  if (!namesComplete(state, uploadId)) return false
  if (state?.rivals.has(uploadId) === true) return true
  const counts = [...(state?.upload?.sentDigests.values() ?? [])]
  return counts.length === 0 || counts.some((count) => count > 0)
}

/** Whether a log says that an upload is open, or is still to be closed. */
export function namesOpen(
  state: LogState | undefined,
  uploadId: string,
): boolean {
  return (
    openUploadIn(state)?.uploadId === uploadId ||
    state?.unclosed.has(uploadId) === true
  )
}
