/**
 * A log in NATS's key-value store, for machines that share nothing else.
 *
 * What a log is, is said by one entry, its head: who holds it, and of which blocks
 * it is. Every step writes the head anew and names the revision that it expects, so
 * that one step of the server both compares who holds the log and where it ends.
 * Blocks are entries of their own, under keys with the token of whoever wrote them:
 * those that no head names are nothing.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { JetStreamApiError } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { UploadError, type Checkpoint } from 'pawl'

export interface NatsCheckpointOptions {
  /** A bucket of its own: `new Kvm(connection).create('pawl', { replicas: 3 })`. */
  kv: KV
  /** Of the upload; any text. */
  name: string
  /** ms after its last sign of life that another run may take a log. */
  lease?: number
}

/** Throws nothing; `open()` is the first that asks the server. */
export function natsCheckpoint(options: NatsCheckpointOptions): Checkpoint {
  return new NatsCheckpoint(options)
}

interface Head {
  /** Of whoever wrote it. */
  token: string
  /** Which of its steps that was. */
  step: number
  isHeld: boolean
  /** ms */
  lease: number
  /** Who wrote how many blocks, in their order. */
  blocks: [token: string, count: number][]
}

/** An entry may have 1 MiB, unless the server is told otherwise. */
const largestBlock = 512 * 1024
const atOnce = 32

class NatsCheckpoint implements Checkpoint {
  readonly name: string
  readonly isLeased = true
  // Servers write to their disks once in a while, and one of them may be lost.
  readonly canLose = true
  freeFor: number | undefined
  lost: AbortSignal | undefined
  readonly #kv: KV
  readonly #key: string
  readonly #lease: number
  #held: Held | undefined
  #isOpening = false

  constructor({ kv, name, lease = 30_000 }: NatsCheckpointOptions) {
    this.name = `the log ${JSON.stringify(name)} in NATS`
    this.#kv = kv
    this.#key = `log.${Buffer.from(name).toString('base64url')}`
    this.#lease = lease
  }

  async open(): Promise<Uint8Array> {
    if (this.#held !== undefined || this.#isOpening) throw this.#locked()
    this.#isOpening = true
    try {
      return await this.#take()
    } catch (error) {
      throw error instanceof UploadError ? error : this.#failed('opened', error)
    } finally {
      this.#isOpening = false
    }
  }

  async #take(): Promise<Uint8Array> {
    const entry = await this.#kv.get(this.#key)
    const isThere = entry?.operation === 'PUT'
    const before = isThere ? entry.json<Head>() : undefined
    this.freeFor = undefined
    if (entry !== null && before !== undefined) {
      // Both times are the server's.
      await this.#kv.put('clock', '')
      const now = await this.#kv.get('clock')
      const age = Number(now?.created) - entry.created.getTime()
      const left = before.isHeld ? before.lease - age : -age
      if (left > 0) throw this.#locked(left)
      this.freeFor = -left
    }
    const blocks = before?.blocks ?? []
    const bytes = await this.#read(blocks)
    const head = {
      token: randomBytes(16).toString('hex'),
      step: 0,
      isHeld: true,
      lease: this.#lease,
      blocks,
    }
    const held = new Held(this.#kv, this.#key, head, entry?.revision ?? 0)
    try {
      await held.change((own) => own, this.#lease)
    } catch (error) {
      // Somebody else was faster.
      if (error instanceof Taken) throw this.#locked(this.#lease)
      throw error
    }
    this.#held = held
    this.lost = held.ending.signal
    held.timer = setInterval(() => void this.#renew(held), this.#lease / 3)
    held.timer.unref()
    return bytes
  }

  // #region shown
  async append(bytes: Uint8Array): Promise<void> {
    await this.#step('written', async (held) => {
      const count = await held.put(bytes, this.#lease)
      await held.change((head) => {
        const last = head.blocks.at(-1)
        const isOwn = last?.[0] === head.token
        const others = isOwn ? head.blocks.slice(0, -1) : head.blocks
        const own = (isOwn ? last[1] : 0) + count
        return { ...head, blocks: [...others, [head.token, own]] }
      }, this.#lease)
    })
  }

  /** Nothing is asked where the last step says enough. */
  async confirm(): Promise<void> {
    await this.#step('confirmed', async (held) => {
      const age = performance.now() - held.heardAt
      if (age >= this.#lease / 2) await held.change((head) => head, this.#lease)
    })
  }
  // #endregion

  async setAside(): Promise<string> {
    let aside = ''
    await this.#step('set aside', async (held) => {
      const { token, blocks } = held.head
      aside = `damaged-${token.slice(0, 8)}`
      await this.#kv.put(`${this.#key}.${aside}`, JSON.stringify(blocks))
      await held.change((head) => ({ ...head, blocks: [] }), this.#lease)
      // What is written from now on is not to be taken for what was.
      held.renumber()
    })
    return `${this.name}, ${aside}`
  }

  async remove(): Promise<boolean> {
    const held = this.#opened()
    const keys = keysOf(this.#key, held.head.blocks)
    const end = (head: Head): Head => ({ ...head, isHeld: false, blocks: [] })
    try {
      await held.change(end, this.#lease)
    } catch {
      return false
    }
    this.#letGo(held)
    try {
      for (const key of keys) await this.#kv.purge(key)
      await this.#kv.delete(this.#key, { previousSeq: held.revision })
    } catch {
      // The head says that there is nothing.
    }
    return true
  }

  async close(): Promise<void> {
    const held = this.#held
    if (held === undefined) return
    this.#letGo(held)
    if (held.failure !== undefined) return
    // What cannot be said now, the end of the lease says.
    await held
      .change((head) => ({ ...head, isHeld: false }), 0)
      .catch(() => undefined)
  }

  async #step(
    what: string,
    step: (held: Held) => Promise<void>,
  ): Promise<void> {
    const held = this.#opened()
    if (held.failure !== undefined) throw held.failure
    try {
      await step(held)
    } catch (error) {
      held.failure ??=
        error instanceof Taken ? this.#gone() : this.#failed(what, error)
      if (error instanceof Taken) held.ending.abort(held.failure)
      throw held.failure
    }
  }

  /** Never rejects: what it could not say is said by the next step. */
  async #renew(held: Held): Promise<void> {
    const age = performance.now() - held.heardAt
    if (this.#held !== held || held.failure !== undefined) return
    if (age < this.#lease / 4) return
    try {
      await held.change((head) => head, 0)
    } catch (error) {
      if (!(error instanceof Taken)) return
      held.failure ??= this.#gone()
      held.ending.abort(held.failure)
    }
  }

  async #read(blocks: Head['blocks']): Promise<Uint8Array> {
    const keys = keysOf(this.#key, blocks)
    const read: Uint8Array[] = []
    while (read.length < keys.length) {
      const some = keys.slice(read.length, read.length + atOnce)
      const entries = await Promise.all(some.map((key) => this.#kv.get(key)))
      for (const [index, entry] of entries.entries()) {
        if (entry?.operation !== 'PUT')
          throw new Error(`${some[index]} is not there`)
        read.push(entry.value)
      }
    }
    return Buffer.concat(read)
  }

  #opened(): Held {
    if (this.#held !== undefined) return this.#held
    throw new UploadError('PAWL_INVALID_STATE', `${this.name} is not open`)
  }

  #letGo(held: Held): void {
    clearInterval(held.timer)
    this.#held = undefined
  }

  #locked(retryAfter?: number): UploadError {
    return new UploadError(
      'PAWL_CHECKPOINT_LOCKED',
      `${this.name} is held by another upload`,
      { resumable: true, transient: true, retryAfter },
    )
  }

  #gone(): UploadError {
    return new UploadError(
      'PAWL_CHECKPOINT_LOST',
      `${this.name} was taken by another run, or has lost its end; run the same call again`,
      { resumable: true, transient: true },
    )
  }

  #failed(what: string, cause: unknown): UploadError {
    return new UploadError(
      'PAWL_CHECKPOINT_IO',
      `${this.name} could not be ${what}: ${String(cause)}`,
      { cause, transient: true },
    )
  }
}

/** Somebody else has written the head. */
class Taken extends Error {}

/** The head as this run has left it, and its steps, one after the other. */
class Held {
  readonly ending = new AbortController()
  timer: NodeJS.Timeout | undefined
  failure: UploadError | undefined
  /** When the last step that was answered began, by the monotonic clock. */
  heardAt = performance.now()
  head: Head
  revision: number
  readonly #kv: KV
  readonly #key: string
  #last: Promise<unknown> = Promise.resolve()
  #blocks = 0

  constructor(kv: KV, key: string, head: Head, revision: number) {
    this.#kv = kv
    this.#key = key
    this.head = head
    this.revision = revision
  }

  /** Blocks of these bytes, which no head names yet; how many. */
  async put(bytes: Uint8Array, patience: number): Promise<number> {
    const { token } = this.head
    let count = 0
    for (let at = 0; at < bytes.length; at += largestBlock) {
      const piece = bytes.slice(at, at + largestBlock)
      const key = blockKey(this.#key, token, this.#blocks + count)
      await patiently(patience, () => this.#kv.put(key, piece))
      count += 1
    }
    this.#blocks += count
    return count
  }

  /** Blocks of another log, of which the head says nothing any more. */
  renumber(): void {
    this.head = { ...this.head, token: randomBytes(16).toString('hex') }
    this.#blocks = 0
  }

  /** Rejects with `Taken` where the head is not as this run has left it. */
  change(next: (head: Head) => Head, patience: number): Promise<void> {
    const step = this.#last.then(() => this.#change(next(this.head), patience))
    this.#last = step.catch(() => undefined)
    return step
  }

  async #change(next: Head, patience: number): Promise<void> {
    const head = { ...next, step: this.head.step + 1 }
    const value = JSON.stringify(head)
    await patiently(patience, async () => {
      const begun = performance.now()
      try {
        const expected = { previousSeq: this.revision }
        this.revision = await this.#kv.put(this.#key, value, expected)
      } catch (error) {
        const found = await this.#kv.get(this.#key)
        const { revision = 0 } = found ?? {}
        // A server that lags behind says nothing.
        if (revision <= this.revision) throw error
        // It may be this very step, of an attempt whose answer was lost.
        if (found?.string() !== value) throw new Taken()
        this.revision = revision
      }
      this.heardAt = begun
    }).catch((error: unknown) => {
      throw isRefused(error) ? new Taken() : error
    })
    this.head = head
  }
}

/** The entry is of another revision. */
function isRefused(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === 10_071
}

/** Tries again for so long, ms, unless somebody else has the log. */
async function patiently(
  patience: number,
  attempt: () => Promise<unknown>,
): Promise<void> {
  const begun = performance.now()
  for (;;) {
    try {
      await attempt()
      return
    } catch (error) {
      const isOver = performance.now() - begun >= patience
      if (error instanceof Taken || isOver) throw error
      await sleep(100)
    }
  }
}

function blockKey(key: string, token: string, number: number): string {
  return `${key}.${token}.${number}`
}

function keysOf(key: string, blocks: Head['blocks']): string[] {
  return blocks.flatMap(([token, count]) =>
    Array.from({ length: count }, (_, number) => blockKey(key, token, number)),
  )
}
