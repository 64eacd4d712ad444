/** The run after one that was killed or lost its power, and what must be so then. */
import { readFileSync } from 'node:fs'
import type { Test } from 'tap'
import { readLog } from '../../lib/checkpoint/reader.js'
import { loadXxh64 } from '../../lib/hash/xxh64.js'
import { key, send, type SmallUploads } from '../support/small-upload.js'

const xxh64 = await loadXxh64()

/**
 * Makes the same call again: the object is the source, and nothing that was stored
 * is sent again. `what` is the step at which the run before ended.
 */
export async function goOn(
  t: Test,
  dev: SmallUploads,
  bytes: Buffer,
  what: string,
): Promise<void> {
  const uploads = dev.server.openUploads()
  const open = new Set(uploads.map(({ uploadId }) => uploadId))
  const known = knownUploads(dev)
  for (const { uploadId, parts } of uploads) {
    if (!known.has(uploadId) && parts > 0) {
      t.fail(`${what}: parts were sent before their upload was on the disk`)
    }
  }
  const stored = new Set(
    dev
      .seen('UploadPart')
      .filter(({ applied, uploadId = '' }) => applied && open.has(uploadId))
      .map(({ partNumber }) => partNumber),
  )
  const isThere =
    dev.server.objectPath('examplebucket', key) !== undefined &&
    bytes.equals(await dev.object(key))
  const since = dev.server.requests.length
  const result = await dev.run(bytes)
  const sent = dev.partsSince(since)
  const again = sent.filter((number) => stored.has(number))
  // What was voided is not gone on with; then nothing of it is in the result.
  if (result.resumed && again.length > 0) {
    t.fail(`${what}: stored parts were sent again`, { again })
  }
  if (result.resumed && isThere && sent.length > 0) {
    t.fail(`${what}: the object was there`, { sent })
  }
}

/** What the log on the disk names. */
function knownUploads(dev: SmallUploads): ReadonlySet<string> {
  if (!dev.logExists()) return new Set()
  const reading = readLog(readFileSync(dev.log), xxh64, 'log')
  return reading.kind === 'log' ? reading.state.uploadIds : new Set()
}

/** The object is the source, and nothing is left but what nobody can know of. */
export async function mustBe(
  t: Test,
  dev: SmallUploads,
  bytes: Buffer,
  what: string,
): Promise<void> {
  const object = await dev.object(key)
  if (!object.equals(bytes)) t.fail(`${what}: the object is not the source`)
  if (dev.logExists()) t.fail(`${what}: the log is left`)
  const left = dev.server.openUploads()
  // Its ID was not on disk yet.
  const isOrphan = left.length === 1 && left[0]?.parts === 0
  const mayBeOrphan = /createUpload|write|datasync|syncDirectory/.test(what)
  if (left.length > 0 && !(isOrphan && mayBeOrphan)) {
    t.fail(`${what}: uploads are left`, { left })
  }
  t.pass(what)
}

/** Ends a first run when `count` parts are stored. */
export async function suspendAfter(
  dev: SmallUploads,
  bytes: Buffer,
  count: number,
): Promise<void> {
  const upload = dev.upload({ concurrency: 1 })
  let stored = 0
  upload.on('part', () => {
    if (++stored === count) upload.destroy()
  })
  await send(upload, bytes).catch(() => undefined)
}

/** Ends a first run whose Complete went through without its knowing. */
export async function suspendInComplete(
  dev: SmallUploads,
  bytes: Buffer,
): Promise<void> {
  dev.server.setFault(({ operation }) =>
    operation === 'CompleteMultipartUpload' || operation === 'HeadObject'
      ? { kind: 'status', status: 500, apply: true }
      : undefined,
  )
  await dev.fail(bytes, { retry: { attempts: 1 } })
  dev.server.setFault(undefined)
}
