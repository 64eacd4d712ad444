/**
 * A log in the bucket itself: an upload that goes on elsewhere without a service and
 * without a disk.
 *
 * The log is segments, objects with a number each. A segment is made only where
 * there is none; whoever made number *n* alone may make *n* + 1, so that who took
 * the log over is in the way of who had it before. A log that is over ends with a
 * segment that says so and stays: without it a writer that wakes late would make
 * the next one, and believe that it holds the log. Its first segment then says where
 * that end is, and is written over for it, always with the same; what was between
 * them is removed. The next log begins behind it.
 *
 * Numbers are never listed: a log is read from where it begins until one is
 * missing. The heartbeat beside the segments keeps others away while a run lives,
 * and says where the last log ended, so that those before it need not be followed.
 * Neither is what the hold rests on.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { realEnvironment, type Environment } from '../environment.js'
import { invalidOption, UploadError } from '../errors.js'
import { sha256 } from '../hash/sha256.js'
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import type { ObjectStore } from '../store/object-store.js'
import { BucketObjects, type FoundObject } from './bucket-objects.js'
import { mustHaveCondition } from './bucket-proof.js'
import { LeasedCheckpoint, logLocked } from './leased-checkpoint.js'
import {
  type Clocks,
  laterOf,
  type Moment,
  momentOn,
  passedSince,
} from './moment.js'
import { checkLease, stepTimeout } from './options.js'
import {
  decodeHeartbeat,
  decodeSegment,
  encodeHeartbeat,
  encodeSegment,
  foldSegments,
  untilFree,
  type Segment,
  type SegmentKind,
} from './segment.js'
import type { Hold, LeaseSteps, OpenedLog, Outcome } from './steps.js'

/** Where the log is, and how it is held. */
export interface BucketCheckpointOptions {
  /** The store that the upload goes to, or another one. */
  store: ObjectStore
  /** The key of the upload. */
  key: string
  /** As the option of the upload: uploads of other sources have other logs. */
  sourceId?: string
  /** What the keys of all logs begin with. Default `.pawl/`. */
  prefix?: string
  /**
   * ms after its last sign of life that another run may take a log. Default
   * 30,000, from 1000.
   */
  lease?: number
  /**
   * Default false: once in a process it is tried, with 18 requests, whether the
   * store makes an object only where there is none. True leaves that out, for a
   * store that is known to do so.
   */
  unproven?: boolean
}

const names: NamesOf<BucketCheckpointOptions> = {
  key: true,
  lease: true,
  prefix: true,
  sourceId: true,
  store: true,
  unproven: true,
}

/** ms; part records wait for each other, since each append is an object. */
const linger = 5000

/**
 * A log in a bucket without versions of OSS or of a store that speaks S3 and keeps
 * `If-None-Match: *` (AWS, R2, MinIO, Ceph in one zone).
 *
 * Throws `PAWL_INVALID_OPTION`. Opening rejects with `PAWL_CHECKPOINT_LOCKED` while
 * another run's lease lasts, and with `PAWL_LOCK_UNSUPPORTED` where the store makes
 * an object twice; any call with `PAWL_CHECKPOINT_LOST` or `_IO`.
 *
 * @example
 * const checkpoint = bucketCheckpoint({ store, key: 'backups/db.dump' })
 */
export function bucketCheckpoint(options: BucketCheckpointOptions): Checkpoint
/** @internal */
export function bucketCheckpoint(
  options: BucketCheckpointOptions,
  environment: Environment,
): Checkpoint
export function bucketCheckpoint(
  options: BucketCheckpointOptions,
  environment: Environment = realEnvironment,
): Checkpoint {
  checkKnownOptions(options, {
    of: 'bucketCheckpoint',
    names: Object.keys(names),
  })
  const { store, key, sourceId = '', prefix = '.pawl/', unproven } = options
  for (const [name, value] of Object.entries({ key, prefix })) {
    if (typeof value === 'string' && value !== '') continue
    invalidOption(`bucketCheckpoint: ${name} must be a string, not empty`)
  }
  if (typeof store !== 'object' || store === null) {
    invalidOption('bucketCheckpoint: store is required')
  }
  const lease = checkLease(options.lease ?? 30_000)
  const place = JSON.stringify([store.identity, key, sourceId])
  const digest = sha256(place).slice(0, 32)
  const steps = new BucketSteps(store, {
    name: `the log ${prefix}${digest} in ${store.identity}`,
    prefix,
    folder: `${prefix}${digest}/`,
    lease,
    isProven: unproven !== true,
    environment,
  })
  return new LeasedCheckpoint(steps, { lease, environment, linger })
}

/** Segments that are read at once, at first and at most; so many are removed. */
const fewAtOnce = 4
const atOnce = 32

/** Where a run is in its log. */
interface Position {
  /** The number of the log's first segment. */
  first: number
  next: number
  /** The number of the end of the log before it; 0: none. */
  end: number
  /** When a request last showed that the log is this run's. */
  seenAt: Moment
}

class BucketSteps implements LeaseSteps {
  readonly name: string
  readonly #store: ObjectStore
  readonly #objects: BucketObjects
  readonly #prefix: string
  readonly #folder: string
  readonly #lease: number
  readonly #isProven: boolean
  readonly #environment: Clocks & Pick<Environment, 'id'>
  #at: Position | undefined

  constructor(
    store: ObjectStore,
    means: {
      name: string
      prefix: string
      folder: string
      lease: number
      isProven: boolean
      environment: Clocks & Pick<Environment, 'id'>
    },
  ) {
    this.name = means.name
    this.#store = store
    this.#objects = new BucketObjects(
      store,
      means.name,
      stepTimeout(means.lease),
    )
    this.#prefix = means.prefix
    this.#folder = means.folder
    this.#lease = means.lease
    this.#isProven = means.isProven
    this.#environment = means.environment
  }

  async open({ token, lease }: Hold): Promise<OpenedLog> {
    if (this.#isProven) {
      await mustHaveCondition(this.#store, {
        name: this.name,
        prefix: this.#prefix,
        objects: this.#objects,
        environment: this.#environment,
      })
    }
    const seenAt = momentOn(this.#environment)
    const { beat, heartbeat, log, age } = await this.#read()
    // An earlier attempt at this very step, whose answer was lost.
    const isTaken = log.token === token
    const wait = untilFree({
      heartbeat,
      token: log.token,
      age: youngest(beat?.age, age),
      lease,
    })
    if (!isTaken && wait !== undefined && wait > 0) {
      throw logLocked(this.name, wait)
    }
    const at = { ...log, end: log.first - 1, seenAt }
    this.#at = at
    // What was read may have been removed meanwhile, by who wakes after its lease.
    const isMade = isTaken || (await this.#make(token, 'held'))
    if (!isMade || !(await this.#isOurs(token))) {
      this.#at = undefined
      throw logLocked(this.name, lease)
    }
    await this.#beat(token, lease)
    return {
      bytes: log.bytes,
      freeFor: wait === undefined ? undefined : Math.max(0, -wait),
      // What a store has acknowledged stays; what was removed by hand does not.
      canLose: true,
    }
  }

  async peek(): Promise<Uint8Array> {
    const { log } = await this.#read()
    return log.bytes
  }

  async #read() {
    const beat = await this.#objects.read(this.#heartbeat)
    const heartbeat = beat && decodeHeartbeat(beat.bytes)
    const { log, age } = await this.#readFrom(heartbeat?.end ?? 0)
    return { beat, heartbeat, log, age }
  }

  async append(
    { token }: Hold,
    _size: number,
    bytes: Uint8Array,
  ): Promise<Outcome> {
    const at = this.#position()
    const age = passedSince(at.seenAt, this.#environment)
    const isOld = age >= this.#lease / 2
    if (isOld && !(await this.#isOurs(token))) return 'taken'
    if (!(await this.#make(token, 'data', bytes))) return 'taken'
    // Between the look and the segment the log may have ended, and begun anew.
    if (isOld && !(await this.#isOurs(token))) return 'taken'
    return 'done'
  }

  async renew({ token, lease }: Hold): Promise<Outcome> {
    if (!(await this.#isOurs(token))) return 'taken'
    await this.#beat(token, lease)
    return 'done'
  }

  async setAside({ token }: Hold): Promise<Outcome> {
    return (await this.#make(token, 'aside')) ? 'done' : 'taken'
  }

  async remove({ token, lease }: Hold): Promise<Outcome> {
    const at = this.#position()
    if (at.end < at.first) {
      if (!(await this.#make(token, 'removed'))) return 'taken'
      at.end = at.next - 1
    }
    // The log is over: segments of it that are left disturb no later log.
    const { first, end } = at
    const moved = { number: first, token, kind: 'moved' as const, end }
    await this.#objects.write(this.#key(first), encodeSegment(moved))
    await this.#beat(token, lease, true)
    for (let number = first + 1; number < end; number += atOnce) {
      await Promise.all(
        numbersFrom(number, Math.min(atOnce, end - number)).map((one) =>
          this.#objects.remove(this.#key(one)),
        ),
      )
    }
    return 'done'
  }

  async close({ token, lease }: Hold): Promise<Outcome> {
    if (!(await this.#isOurs(token))) return 'taken'
    await this.#beat(token, lease, true)
    return 'done'
  }

  get #heartbeat(): string {
    return `${this.#folder}hold`
  }

  #key(number: number): string {
    return `${this.#folder}${String(number).padStart(9, '0')}`
  }

  #position(): Position {
    if (this.#at !== undefined) return this.#at
    throw new UploadError('PAWL_INVALID_STATE', `${this.name} is not open`)
  }

  /** The next segment; false where it is another run's. */
  async #make(
    token: string,
    kind: SegmentKind,
    bytes: Uint8Array = Buffer.alloc(0),
  ): Promise<boolean> {
    const at = this.#position()
    const { next: number } = at
    const sentAt = momentOn(this.#environment)
    const segment = encodeSegment({ number, token, kind, bytes })
    if (!(await this.#objects.create(this.#key(number), segment))) {
      // It may be this very one, of an attempt whose answer was lost.
      const found = await this.#objects.read(this.#key(number))
      if (found === undefined || !segment.equals(found.bytes)) return false
    }
    // A late answer for an earlier segment must not lower the number.
    at.next = Math.max(at.next, number + 1)
    at.seenAt = laterOf(at.seenAt, sentAt)
    return true
  }

  /**
   * Whether nobody has followed this run: its last segment is there, the next one is
   * nobody else's, and the log that it belongs to is not over.
   */
  async #isOurs(token: string): Promise<boolean> {
    const at = this.#position()
    const seenAt = momentOn(this.#environment)
    const { first, next } = at
    const [begin, last, following] = await Promise.all(
      [first, next - 1, next].map((number) => this.#segment(number)),
    )
    const isOver = begin?.segment.kind === 'moved' || begin === undefined
    if (isOver || last?.segment.token !== token) return false
    // An append of this run may be under way beside a look at its lease.
    if (following !== undefined && following.segment.token !== token) {
      return false
    }
    at.seenAt = seenAt
    return true
  }

  async #beat(token: string, lease: number, isFree = false): Promise<void> {
    const { end, first } = this.#position()
    const known = Math.max(end, first - 1)
    const heartbeat = { token, lease, isFree, end: known }
    await this.#objects.write(this.#heartbeat, encodeHeartbeat(heartbeat))
  }

  /** All segments behind an end that is known; from the first one without. */
  async #readFrom(end: number): Promise<{
    log: ReturnType<typeof foldSegments>
    age: number | undefined
  }> {
    let first = 1
    if (end > 0) {
      const known = await this.#segment(end)
      if (known?.segment.kind === 'removed') first = end + 1
    }
    let segments: Segment[] = []
    let age: number | undefined
    /** Where a log begins, and its first segment may have been written over. */
    let canBegin = true
    let count = fewAtOnce
    for (let number = first; ; count = Math.min(2 * count, atOnce)) {
      const read = await Promise.all(
        numbersFrom(number, count).map((one) => this.#segment(one)),
      )
      for (const found of read) {
        if (found === undefined) {
          return { log: foldSegments(segments, first), age }
        }
        const { segment } = found
        const { kind, end: over } = segment
        number = segment.number + 1
        if (kind === 'moved') {
          if (!canBegin || over < number) throw this.#damaged(segment.number)
          // That log is over: on with the one behind its end.
          number = over + 1
          first = number
          segments = []
          break
        }
        canBegin = kind === 'removed'
        segments.push(segment)
        ;({ age } = found)
      }
    }
  }

  async #segment(
    number: number,
  ): Promise<{ segment: Segment; age: FoundObject['age'] } | undefined> {
    const found = await this.#objects.read(this.#key(number))
    if (found === undefined) return undefined
    const segment = decodeSegment(found.bytes, number)
    if (segment === undefined) throw this.#damaged(number)
    return { segment, age: found.age }
  }

  #damaged(number: number): UploadError {
    return new UploadError(
      'PAWL_NOT_A_CHECKPOINT',
      `${this.name}: ${this.#key(number)} is not what a log has there; remove what is under ${this.#folder}, or give another prefix`,
    )
  }
}

function numbersFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}

/** Of what was last written; undefined: nothing was, or nobody says when. */
function youngest(
  one: number | undefined,
  other: number | undefined,
): number | undefined {
  if (one === undefined) return other
  return other === undefined ? one : Math.min(one, other)
}
