/**
 * A store behind a line, on a clock turned by hand: what each connection carries,
 * what all carry together, a round trip, and what the sender's system holds.
 */
import type { Environment } from '../../lib/environment.js'
import type { Body, ObjectStore } from '../../lib/index.js'
import { storeInMemory, type StoreInMemory } from './hand-upload.js'

export interface LineOfStore {
  /** Bytes a second, of one connection and of all. */
  connection: number
  total: number
  /** ms. */
  roundTrip: number
  /** Bytes that have left the process and not yet the machine, at most. */
  buffer: number
}

export interface PacedStore extends StoreInMemory {
  /** Bytes that left, and when: ms. */
  readonly left: { at: number; bytes: number }[]
  /** Parts in flight when each began, in order. */
  readonly begun: number[]
  /** Fails the part, once so many bytes of it have left, instead of taking it. */
  fail: (partNumber: number) => { after: number; error: Error } | undefined
}

/** Bytes on a way that carries so many a second; `take` says when they are over. */
class Way {
  readonly #rate: number
  #free = 0

  constructor(rate: number) {
    this.#rate = rate
  }

  take(bytes: number, now: number): number {
    this.#free = Math.max(this.#free, now) + (bytes / this.#rate) * 1000
    return this.#free
  }
}

export function pacedStore(
  line: LineOfStore,
  clock: Pick<Environment, 'monotonic' | 'timer'>,
): PacedStore {
  const memory = storeInMemory()
  let inFlight = 0
  const together = new Way(line.total)
  const waitFor = (ms: number): Promise<void> =>
    new Promise((resolve) => clock.timer(Math.max(0, ms), resolve))
  const until = (at: number): Promise<void> => waitFor(at - clock.monotonic())
  const paced: PacedStore = {
    ...memory,
    left: [],
    begun: [],
    fail: () => undefined,
    store: { ...memory.store, uploadPart },
  }
  return paced

  async function uploadPart(
    ...[request, call]: Parameters<ObjectStore['uploadPart']>
  ): ReturnType<ObjectStore['uploadPart']> {
    inFlight += 1
    paced.begun.push(inFlight)
    try {
      return await sendPart(request, call)
    } finally {
      inFlight -= 1
    }
  }

  async function sendPart(
    ...[request, call]: Parameters<ObjectStore['uploadPart']>
  ): ReturnType<ObjectStore['uploadPart']> {
    const { partNumber, body } = request
    const own = new Way(line.connection)
    const failure = paced.fail(partNumber)
    let sent = 0
    let over = 0
    await waitFor(line.roundTrip)
    const slowly: Body = async function* () {
      for await (const view of body()) {
        call.signal.throwIfAborted()
        const now = clock.monotonic()
        over = Math.max(
          own.take(view.byteLength, now),
          together.take(view.byteLength, now),
        )
        yield view
        // It has left the process when what is behind it fits into the buffer.
        await until(over - (line.buffer / line.connection) * 1000)
        paced.left.push({ at: clock.monotonic(), bytes: view.byteLength })
        sent += view.byteLength
        if (failure !== undefined && sent >= failure.after) throw failure.error
      }
    }
    const receipt = await memory.store.uploadPart(
      { ...request, body: slowly },
      call,
    )
    await until(over + line.roundTrip)
    return receipt
  }
}
