/**
 * What no client could have seen: bytes that were damaged where nothing compares
 * them, parts that were replaced after a run had looked.
 */
import type { Run } from '../run.js'
import type { Scene } from '../scene.js'
import type { StoredObject } from '../store/truth.js'
import { canCompare, isOneOf, runOf } from './check.js'
import { namesComplete } from './log.js'

/** Its bytes were damaged on their way where nothing that was asked could show it. */
export function isDamagedUnseen(
  { truth: { traits, damaged } }: Scene,
  { plan }: Run,
  { bytes, parts, upload }: Pick<StoredObject, 'bytes' | 'parts' | 'upload'>,
): boolean {
  const isDamaged = [bytes, ...[...parts.values()].map((part) => part.bytes)]
  if (!isDamaged.some((one) => damaged.has(one))) return false
  // The store could have refused it, had it been told its MD5.
  if (upload === undefined) return !traits.comparesMd5
  if (plan.verify === false || traits.digest === 'none') return true
  const isByCrc = traits.digest !== 'md5' && plan.verify !== 'md5'
  return !isByCrc && !traits.comparesMd5 && traits.etags !== 'md5'
}

/**
 * Whether an object is another than its run's source only by parts that were
 * stored in place of its own after the run had heard of these last, where
 * Complete does not compare the ETags that it names.
 */
export function isMixedUnseen(
  { truth, heard }: Scene,
  { parts, upload }: StoredObject,
  { sources, number: run }: Run,
): boolean {
  if (truth.traits.comparesEtags || upload === undefined) return false
  const sent = truth.partsSent.filter(({ uploadId }) => uploadId === upload.id)
  // One of another run may be the last of its source, and shorter.
  const largest = new Map<number, number>()
  for (const { partNumber, bytes } of sent) {
    const known = largest.get(partNumber) ?? 0
    largest.set(partNumber, Math.max(known, bytes.length))
  }
  const offsetOf = (number: number): number => {
    let offset = 0
    for (const [other, size] of largest) if (other < number) offset += size
    return offset
  }
  return sources.some((source) => {
    for (const [number, { bytes, at }] of parts) {
      const from = offsetOf(number)
      const own = source.subarray(from, from + (largest.get(number) ?? 0))
      const isOwn = isOneOf(bytes, [own])
      if (!isOwn && at < heard.knownAt(run, upload.id, number)) return false
    }
    return offsetOf(parts.size + 1) >= source.length
  })
}

/**
 * Whether an object, of a store that takes parts for completed uploads, was
 * changed by what nobody could hold back: a part that was under way when it was
 * made, or one of a run whose log did not know of its Complete, or which could not
 * look what had become of that: it may not, or looked when the object was not there
 * yet, or lay under another's. The rule: not ours and still listed, it is gone on with.
 */
export function isChangedUnseen(scene: Scene, object: StoredObject): boolean {
  const { upload, at, parts } = object
  const { truth, heard, runs, world } = scene
  if (truth.traits.completedUpload !== 'listed' || upload === undefined) {
    return false
  }
  // Within the same millisecond: what Complete has not named came behind it.
  const later = truth.partsSent.filter(
    ({ uploadId, partNumber, bytes, at: arrived }) =>
      uploadId === upload.id &&
      arrived >= at &&
      parts.get(partNumber)?.bytes !== bytes,
  )
  const isUnseen = ({ sentAt, by }: (typeof later)[number]): boolean => {
    const sender = runs.find(({ number }) => number === by.run)
    // HEAD shows what is on top, to who may look; nobody looks before every part.
    const look = heard.lastLook(by.run, sentAt)
    const wasHidden = look !== undefined && look.found !== object
    return (
      wasHidden ||
      sentAt <= at ||
      sender === undefined ||
      !namesComplete(sender.startLog, upload.id) ||
      world.hasHappened(['failover'], { since: sender.startedAt }) ||
      upload.mark === undefined
    )
  }
  return later.length > 0 && later.every(isUnseen)
}

/**
 * Somebody else has completed the same upload, with as many parts of other bytes,
 * and the store answers our Complete with that; or our own Complete was left open,
 * and only mark and size are there to be compared. It shows where digests are.
 */
export function isReplayed(
  scene: Scene,
  run: Run,
  object: StoredObject,
): boolean {
  const { truth, heard } = scene
  const { completeAgain } = truth.traits
  const { upload } = object
  if (canCompare(scene, run) || upload === undefined) return false
  const isOpen =
    completeAgain === 'replayed' ||
    heard.wasLeftOpen(run.number, upload.id) ||
    namesComplete(run.startLog, upload.id)
  return isOpen && isOfOtherHands(scene, run, object)
}

/** By another client, from a copy of the log, or by a run that the log has forgotten. */
function isOfOtherHands(
  scene: Scene,
  { number, process, startLog }: Run,
  { by, upload }: StoredObject,
): boolean {
  const maker = runOf(scene, by.run)
  if (maker === undefined) return true
  if (maker.number === number) return false
  const isSame = maker.process.machine.logs === process.machine.logs
  return !isSame || !namesComplete(startLog, upload?.id ?? '')
}
