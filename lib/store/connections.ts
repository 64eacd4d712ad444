/**
 * The connections of one store, and the queue before them.
 *
 * At most 64 requests run at once; further ones wait here, in order, so that a
 * request is signed when it leaves the queue and our connect timer counts
 * nothing but connecting. Each own lane is one undici Client, which is one
 * connection: when a request is given up while it connects, exactly its socket
 * can be destroyed. A dispatcher given by the caller is used for every lane and
 * never closed.
 */
import { setMaxListeners } from 'node:events'
import { Socket } from 'node:net'
import { buildConnector, Client, type Dispatcher } from 'undici'
import { invalidOption } from '../errors.js'
import { DispatchQueue } from './dispatch-queue.js'

/** A place for one request at a time. */
export interface Lane {
  readonly dispatcher: Dispatcher
  /** Absent when the dispatcher is ours: dispatched means connecting then. */
  readonly queue?: DispatchQueue
}

export interface ConnectionsOptions {
  origin: string
  dispatcher?: Dispatcher | undefined
  /** Of our own connections, such as `ca`. */
  tls?: { ca: string } | undefined
  /** Requests at once; 64. */
  lanes?: number | undefined
}

/** Throws `PAWL_INVALID_OPTION` for what cannot dispatch, such as Node's agents. */
export function checkDispatcher(dispatcher: unknown): void {
  if (dispatcher === undefined) return
  const isOne =
    typeof dispatcher === 'object' &&
    dispatcher !== null &&
    typeof Reflect.get(dispatcher, 'dispatch') === 'function'
  if (!isOne) {
    invalidOption(
      "dispatcher: expected undici's, such as new ProxyAgent(…); agents of node:http are none.",
    )
  }
}

/** One signal ends all requests of an upload: many listeners are no leak. */
function letManyListen(signal: AbortSignal): void {
  try {
    setMaxListeners(0, signal)
  } catch {
    // Of another realm, or a polyfill: nobody counts its listeners.
  }
}

class OwnLane implements Lane {
  readonly dispatcher: Client
  #socket: Socket | undefined

  constructor(origin: string, connect: buildConnector.connector) {
    this.dispatcher = new Client(origin, {
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (options, callback) => {
        const socket: unknown = connect(options, callback)
        this.#socket = socket instanceof Socket ? socket : undefined
      },
    })
  }

  destroy(): void {
    void this.dispatcher.destroy()
    // undici leaves a socket that is still connecting to itself.
    this.#socket?.destroy()
  }
}

export class Connections {
  readonly #origin: string
  readonly #given: Lane | undefined
  readonly #connect: buildConnector.connector
  readonly #waiting = new Set<() => void>()
  readonly #idle: OwnLane[] = []
  #free: number
  #generation = 0
  readonly #born = new WeakMap<OwnLane, number>()

  constructor({ origin, dispatcher, tls, lanes = 64 }: ConnectionsOptions) {
    this.#origin = origin
    this.#free = lanes
    this.#given =
      dispatcher === undefined
        ? undefined
        : { dispatcher, queue: new DispatchQueue() }
    // Our own connect timer bounds connecting; a second one would only race it.
    this.#connect = buildConnector({ ...tls, timeout: 0 })
  }

  /** Waits for its turn; rejects with the signal's reason. */
  async acquire(signal: AbortSignal): Promise<Lane> {
    signal.throwIfAborted()
    letManyListen(signal)
    if (this.#free > 0) this.#free -= 1
    else await this.#turn(signal)
    return this.#given ?? this.#idle.pop() ?? this.#open()
  }

  /** Every acquired lane comes back; one that failed is not used again. */
  release(lane: Lane, healthy: boolean): void {
    if (lane instanceof OwnLane) {
      if (healthy && this.#born.get(lane) === this.#generation) {
        this.#idle.push(lane)
      } else {
        lane.destroy()
      }
    }
    const [next] = this.#waiting
    if (next === undefined) this.#free += 1
    else next()
  }

  /** Closes idle connections, and busy ones when their request has ended. */
  close(): void {
    this.#generation += 1
    for (const lane of this.#idle.splice(0)) lane.destroy()
  }

  #open(): OwnLane {
    const lane = new OwnLane(this.#origin, this.#connect)
    this.#born.set(lane, this.#generation)
    return lane
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(enter)
        signal.removeEventListener('abort', onAbort)
      }
      const enter = () => {
        leave()
        resolve()
      }
      const onAbort = () => {
        leave()
        reject(signal.reason)
      }
      this.#waiting.add(enter)
      signal.addEventListener('abort', onAbort)
    })
  }
}
