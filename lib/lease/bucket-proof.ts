/**
 * Whether a store makes an object only where there is none, also for many that come
 * at once. A log in a bucket rests on it, and many servers do not have it: some
 * ignore the condition, some only in buckets with versions, some look first and
 * write then, which one request after the other does not show.
 */
import type { Environment } from '../environment.js'
import { UploadError } from '../errors.js'
import { messageOf } from '../realm.js'
import type { ObjectStore } from '../store/object-store.js'
import { StoreError } from '../store/store-error.js'
import type { BucketObjects } from './bucket-objects.js'
import { Unheard } from './steps.js'

/** PUTs of one name at once, and how often. */
const atOnce = 8
const rounds = 2

/** What is known of stores, for as long as they live. */
const proved = new WeakMap<ObjectStore, Promise<void>>()

/** Rejects with `PAWL_LOCK_UNSUPPORTED`; asked once of a store. */
export function mustHaveCondition(
  store: ObjectStore,
  means: ProofMeans,
): Promise<void> {
  const known = proved.get(store)
  if (known !== undefined) return known
  const proof = prove(store, means)
  proved.set(store, proof)
  // What could not be asked is asked again.
  proof.catch((error: unknown) => {
    if (error instanceof Unheard) proved.delete(store)
  })
  return proof
}

export interface ProofMeans {
  /** Of the log, for texts. */
  name: string
  prefix: string
  objects: BucketObjects
  environment: Pick<Environment, 'id'>
}

async function prove(
  { identity }: ObjectStore,
  { name, prefix, objects, environment }: ProofMeans,
): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    const key = `${prefix}proof/${environment.id()}`
    const body = (number: number) => Buffer.from(`pawl-proof ${number}\n`)
    const answers = await Promise.allSettled(
      Array.from({ length: atOnce }, (_, number) =>
        objects.create(key, body(number)),
      ),
    )
    try {
      const failures = answers.flatMap((answer) =>
        answer.status === 'rejected' ? [answer.reason as unknown] : [],
      )
      for (const failure of failures) mustBePassing(name, failure)
      const made = answers.filter(
        (answer) => answer.status === 'fulfilled' && answer.value,
      ).length
      // One of those without an answer may be the one that was made.
      const most = 1
      const least = failures.length > 0 ? 0 : 1
      if (made > most || made < least) {
        throw unsupported(name, `${identity}: ${made} of ${atOnce} made it`)
      }
      if (await objects.create(key, body(atOnce))) {
        throw unsupported(name, `${identity}: another one made it once more`)
      }
    } finally {
      await objects.remove(key).catch(unlessPassing)
    }
  }
}

/** A condition that the server refuses it does not have; other refusals say nothing. */
function mustBePassing(name: string, failure: unknown): void {
  if (failure instanceof Unheard) return
  const cause = failure instanceof UploadError ? failure.cause : undefined
  const { kind } = cause instanceof StoreError ? cause : { kind: undefined }
  if (kind !== 'unsupported' && kind !== 'request') throw failure
  throw unsupported(name, messageOf(cause))
}

function unlessPassing(error: unknown): void {
  if (error instanceof Unheard || error instanceof UploadError) return
  throw error
}

function unsupported(name: string, why: string): UploadError {
  return new UploadError(
    'PAWL_LOCK_UNSUPPORTED',
    `${name}: this store does not keep an object from being made twice, without which a log in it has no hold; ${why}; use a bucket without versions, or keep the log elsewhere`,
  )
}
