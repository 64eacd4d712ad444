/**
 * A store whose requests are held back: so many and so many bytes a second, and
 * fewer at once when the server asks for less.
 */
import { delay, type Environment } from '../environment.js'
import type {
  Call,
  GetObjectRequest,
  ObjectStore,
} from '../store/object-store.js'
import { StoreError } from '../store/store-error.js'

/** What a worker may take. */
export interface FleetLimit {
  /** Requests a second. */
  requestsPerSecond?: number
  /** Bytes of bodies a second. */
  bytesPerSecond?: number
}

/** ms that a budget may be ahead: what was not used is not kept for longer. */
const burst = 100

/** So much a second; who takes more waits. */
export class Budget {
  readonly #perSecond: number
  readonly #environment: Pick<Environment, 'monotonic' | 'timer'>
  /** When all that was taken has been paid for. */
  #paidAt = Number.NEGATIVE_INFINITY

  constructor(
    perSecond: number,
    environment: Pick<Environment, 'monotonic' | 'timer'>,
  ) {
    this.#perSecond = perSecond
    this.#environment = environment
  }

  async take(amount: number, signal: AbortSignal): Promise<void> {
    const now = this.#environment.monotonic()
    const from = Math.max(this.#paidAt, now - burst)
    this.#paidAt = from + (amount / this.#perSecond) * 1000
    if (this.#paidAt > now) {
      await delay(this.#environment, this.#paidAt - now, signal)
    }
  }
}

/**
 * How many calls may be under way. A server that throttles halves the number, down
 * to one; as many calls as there may be at most, all well, bring one back.
 */
class CallSlots {
  readonly #most: number
  #limit: number
  #used = 0
  #good = 0
  readonly #waiting: (() => void)[] = []

  constructor(most: number) {
    this.#most = most
    this.#limit = most
  }

  /** Resolves when it is the caller's turn; it must `release()` once. */
  acquire(): Promise<void> {
    if (this.#used < this.#limit && this.#waiting.length === 0) {
      this.#used++
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  release(): void {
    this.#used--
    while (this.#used < this.#limit) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#used++
      next()
    }
  }

  throttle(): void {
    this.#limit = Math.max(1, this.#limit >> 1)
    this.#good = 0
  }

  succeed(): void {
    if (this.#limit === this.#most || ++this.#good < this.#most) return
    this.#good = 0
    this.#limit++
  }
}

export function limitedStore(
  store: ObjectStore,
  { requestsPerSecond, bytesPerSecond }: FleetLimit,
  most: number,
  environment: Pick<Environment, 'monotonic' | 'timer'>,
): ObjectStore {
  const slots = new CallSlots(most)
  const requests =
    requestsPerSecond === undefined
      ? undefined
      : new Budget(requestsPerSecond, environment)
  const bytes =
    bytesPerSecond === undefined
      ? undefined
      : new Budget(bytesPerSecond, environment)
  const held = async <T>(
    { signal }: Call,
    size: number,
    send: () => Promise<T>,
  ): Promise<T> => {
    await slots.acquire()
    try {
      signal.throwIfAborted()
      await requests?.take(1, signal)
      if (size > 0) await bytes?.take(size, signal)
      const answer = await send()
      slots.succeed()
      return answer
    } catch (error) {
      const isAsked = error instanceof StoreError && error.kind === 'throttled'
      if (isAsked) slots.throttle()
      throw error
    } finally {
      slots.release()
    }
  }
  return {
    identity: store.identity,
    bucket: store.bucket,
    limits: store.limits,
    digest: store.digest,
    keepsMetadata: store.keepsMetadata,
    precedence: store.precedence,
    maxRate: store.maxRate,
    get takesLateParts() {
      return store.takesLateParts
    },
    fixedHeaders: (object) => store.fixedHeaders(object),
    sentHeaders: (object) => store.sentHeaders?.(object) ?? {},
    canMark: (object) => store.canMark?.(object) ?? true,
    createUpload: (request, call) =>
      held(call, 0, () => store.createUpload(request, call)),
    uploadPart: (request, call) =>
      held(call, request.size, () => store.uploadPart(request, call)),
    listParts: (request, call) =>
      held(call, 0, () => store.listParts(request, call)),
    completeUpload: (request, call) =>
      held(call, 0, () => store.completeUpload(request, call)),
    abortUpload: (request, call) =>
      held(call, 0, () => store.abortUpload(request, call)),
    listUploads: (request, call) =>
      held(call, 0, () => store.listUploads(request, call)),
    putObject: (request, call) =>
      held(call, request.size, () => store.putObject(request, call)),
    headObject: (key, call) => held(call, 0, () => store.headObject(key, call)),
    ...(store.getObject === undefined
      ? {}
      : {
          getObject: (request: GetObjectRequest, call: Call) =>
            held(call, 0, async () => store.getObject?.(request, call)),
        }),
    ...(store.deleteObject === undefined
      ? {}
      : {
          deleteObject: (key: string, call: Call) =>
            held(call, 0, async () => store.deleteObject?.(key, call)),
        }),
    close: () => store.close(),
  }
}
