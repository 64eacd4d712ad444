/**
 * What no client could have seen: bytes that were damaged where nothing compares
 * them, parts that were replaced after a run had looked.
 */
import type { Run } from '../run.js'
import type { Scene } from '../scene.js'
import type { StoredObject } from '../store/truth.js'
import { isCrc, isOneOf } from './check.js'
import { namesComplete } from './log.js'

/** Bytes were damaged on their way where nothing that was asked could show it. */
export function isDamagedUnseen(
  { world, truth: { traits } }: Scene,
  { plan }: Run,
  isPut: boolean,
): boolean {
  if (!world.hasHappened(['damaged-body'])) return false
  // The store could have refused it, had it been told its MD5.
  if (isPut) return !traits.comparesMd5
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
  const partSize = Math.max(...sent.map(({ bytes }) => bytes.length))
  return sources.some((source) => {
    for (const [number, { bytes, at }] of parts) {
      const own = source.subarray((number - 1) * partSize, number * partSize)
      const isOwn = isOneOf(bytes, [own])
      if (!isOwn && at < heard.knownAt(run, upload.id, number)) return false
    }
    return parts.size * partSize >= source.length
  })
}

/**
 * Whether an object, of a store that takes parts for completed uploads, was
 * changed by what nobody could hold back: a part that was under way when it was
 * made, or one of a run whose log did not know of its Complete, or which could not
 * look what had become of that.
 */
export function isChangedUnseen(
  scene: Scene,
  { upload, at, parts }: StoredObject,
): boolean {
  const { truth, heard, runs } = scene
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
  return later.some(({ sentAt, by }) => {
    const sender = runs.find(({ number }) => number === by.run)
    return (
      sentAt <= at ||
      sender === undefined ||
      !namesComplete(sender.startLog, upload.id) ||
      heard.wasDenied(by.run, 'headObject') ||
      truth.traits.marks === 'dropped' ||
      truth.traits.headLag > 0
    )
  })
}

/**
 * Another run has completed the same upload, with as many parts of other bytes, and
 * the store answers our Complete with that. It shows where digests are compared.
 */
export function isReplayed(
  { truth }: Scene,
  { plan, number }: Run,
  { by }: StoredObject,
): boolean {
  const { completeAgain, digest, etags } = truth.traits
  const isCompared = plan.verify !== false && (isCrc(digest) || etags === 'md5')
  return completeAgain === 'replayed' && by.run !== number && !isCompared
}
