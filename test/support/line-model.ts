/**
 * A model of lines to a store, on a clock that jumps from one event to the next:
 * what each connection carries, what all carry together, and a round trip. The
 * slots that parts take are the library's own.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { StoreLine, type LineWishes } from '../../lib/store/store-line.js'
import type { Slots } from '../../lib/store/slots.js'

export interface LineTraits {
  /** Bytes a second of one connection. */
  connection: number
  /** Bytes a second of all together, with so many at once. */
  total: (atOnce: number) => number
  /** ms. */
  roundTrip: number
  /** A share by which each part's time differs, up or down. */
  noise?: number
}

export interface ModelUpload {
  /** Bytes. */
  size: number
  partSize: number
  /** Parts that there is memory for. */
  hands?: number
  wishes?: Partial<LineWishes>
  /** ms after the first. */
  begins?: number
}

export interface ModelRun {
  /** ms until each upload was stored. */
  took: number[]
  /** ms until the first part was. */
  firstStored: number
  /** Parts in flight at most. */
  peak: number
  /** Of all parts, the ms at which each was stored. */
  storedAt: number[]
}

/** Bytes of which each tells that it has left. */
const view = 2 ** 19
/** A system's buffers hold so many views, and a full one takes the next ones together. */
const buffered = 8
const burst = 3

/** Bytes on their way; `left` of them. */
interface Transfer {
  left: number
  done: () => void
}

interface Due {
  at: number
  happen: () => void
}

/** Small and fast; not for secrets. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const auto: LineWishes = { concurrency: 48, isAuto: true, maxRate: undefined }

class Model {
  now = 0
  readonly #traits: LineTraits
  readonly #transfers = new Set<Transfer>()
  readonly #due: Due[] = []
  readonly random: () => number

  constructor(traits: LineTraits, seed: number) {
    this.#traits = traits
    this.random = randomOf(seed)
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) =>
      this.#due.push({ at: this.now + ms, happen: resolve }),
    )
  }

  transfer(bytes: number): Promise<void> {
    return new Promise((done) => this.#transfers.add({ left: bytes, done }))
  }

  /** Lets the next thing happen; false when there is none. */
  step(): boolean {
    const atOnce = this.#transfers.size
    const { connection, total } = this.#traits
    const each =
      Math.min(connection, total(atOnce) / Math.max(1, atOnce)) / 1000
    const [first] = this.#due.toSorted((a, b) => a.at - b.at)
    const least = Math.min(...[...this.#transfers].map(({ left }) => left))
    const ends = this.now + least / each
    const next = Math.min(first?.at ?? Infinity, ends)
    if (next === Infinity) return false
    for (const one of this.#transfers) one.left -= (next - this.now) * each
    this.now = next
    for (const one of this.#transfers) {
      if (one.left > 1e-6) continue
      this.#transfers.delete(one)
      one.done()
    }
    for (const due of this.#due.filter(({ at }) => at <= next)) {
      this.#due.splice(this.#due.indexOf(due), 1)
      due.happen()
    }
    return true
  }
}

/** What becomes of some uploads to one store over one line. */
export async function overLine(
  traits: LineTraits,
  uploads: readonly ModelUpload[],
  { seed = 1, maxRate }: { seed?: number; maxRate?: number } = {},
): Promise<ModelRun> {
  const model = new Model(traits, seed)
  const clock = {
    monotonic: () => model.now,
    idle: () => model.now,
    timer: (ms: number, ring: () => void) => {
      let isCancelled = false
      void model.wait(ms).then(() => {
        if (!isCancelled) ring()
      })
      return { cancel: () => void (isCancelled = true) }
    },
  }
  const line = new StoreLine({ maxRate }, clock)
  const storedAt: number[] = []
  let inFlight = 0
  let peak = 0
  let connections = 0
  const { roundTrip, noise = 0 } = traits
  const sendPart = async (slots: Slots, size: number): Promise<void> => {
    const slot = await slots.acquire()
    inFlight += 1
    peak = Math.max(peak, inFlight)
    if (inFlight > connections) {
      connections = inFlight
      await model.wait(roundTrip)
    }
    const slowness = 1 + noise * (2 * model.random() - 1)
    const views = Math.ceil(size / view)
    for (let told = 0, moved = 0; moved < views; moved++) {
      const room = moved + buffered - told
      const taken = moved === 0 || room >= burst ? room : 0
      const until = Math.min(views, told + taken)
      for (; told < until; told++) {
        slot.sent(Math.min(view, size - told * view), size)
      }
      await model.transfer(Math.min(view, size - moved * view) * slowness)
    }
    await model.wait(roundTrip)
    inFlight -= 1
    storedAt.push(model.now)
    slot.end({ size, attempts: 1 })
  }
  const took = uploads.map(async (upload): Promise<number> => {
    const { size, partSize, hands = Infinity, wishes, begins = 0 } = upload
    if (begins > 0) await model.wait(begins)
    const began = model.now
    const slots = line.join({ ...auto, ...wishes })
    let wake = (): void => undefined
    slots.watch(() => wake())
    const parts = new Set<Promise<void>>()
    for (let left = size; left > 0; left -= partSize) {
      while (parts.size >= Math.min(hands, slots.allowed)) {
        await new Promise<void>((resolve) => (wake = resolve))
      }
      // As a part takes some turns to be read.
      await Promise.resolve()
      const part = sendPart(slots, Math.min(left, partSize))
      parts.add(part)
      void part.then(() => {
        parts.delete(part)
        wake()
      })
    }
    await Promise.all(parts)
    line.leave(slots)
    return model.now - began
  })
  let isOver = false
  const over = Promise.all(took).then((all) => {
    isOver = true
    return all
  })
  for (;;) {
    await turn()
    if (isOver) break
    if (!model.step()) throw new Error('nothing is left that could happen')
  }
  return { took: await over, firstStored: storedAt[0] ?? 0, peak, storedAt }
}
