/**
 * The bytes of one part, or of a whole object, wherever they are: in memory, or
 * in a file that can be read again.
 */
import type { RunningDigest } from '../../hash/crc64.js'
import type { DigestKind, Digests } from '../../hash/digest.js'
import { hex64, loadXxh64 } from '../../hash/xxh64.js'
import type { Body } from '../../store/object-store.js'
import { type BodyPace, bodyOf } from './view-pace.js'

/** CRC-64s are unsigned decimals, `md5` is base64, the others are hex. */
export type ContentDigest = DigestKind | 'xxh64'

export interface PartContent {
  /** Bytes. */
  readonly size: number

  /** All the bytes, where they are in memory that is used for nothing else. */
  readonly bytes?: Uint8Array | undefined

  /** Each body reads the source, which only a digest shows to be as it was. */
  readonly isReadAnew?: boolean | undefined

  /** A fresh body for each attempt; `onSent` hears of each view that went out. */
  body(pace: BodyPace, onSent: (bytes: number) => void): Body

  /** A digest of all the bytes. It is worked out once. */
  digest(kind: ContentDigest): Promise<string>

  /** A digest that is wanted when the bytes were sent: it is worked out beside that. */
  expect(kind: ContentDigest): void

  /** Resolves when nothing here reads the bytes any more. Never rejects. */
  settled(): Promise<void>
}

/** A part on its way to the store. */
export interface TakenPart {
  /** From 1. */
  readonly partNumber: number
  /** Bytes from the start of the object. */
  readonly offset: number
  readonly size: number
  readonly content: PartContent
  /** Gives the memory back. */
  release(): void
}

/** Where a part is in the object. */
export type Piece = Pick<TakenPart, 'partNumber' | 'offset' | 'size'>

/** What was read of a source. */
export interface HashedPart {
  offset: number
  size: number
  /** Hex: xxHash64, MD5 or SHA-256, by its length; empty where it is not known. */
  hash: string
}

/** Releases a part when nothing reads its bytes any more. */
export async function letGo(part: TakenPart): Promise<void> {
  await part.content.settled()
  part.release()
}

/** Bytes in memory; they must not change until it has settled. */
export class MemoryContent implements PartContent {
  readonly size: number
  readonly bytes: Uint8Array | undefined
  readonly #pieces: readonly Uint8Array[]
  readonly #digests: Pick<Digests, 'digest'>
  readonly #known = new Map<ContentDigest, Promise<string>>()

  /** `xxh64`: if it is known. `isOwn`: the memory is used for nothing else. */
  constructor(
    pieces: readonly Uint8Array[],
    xxh64: string | undefined,
    digests: Pick<Digests, 'digest'>,
    { isOwn = false } = {},
  ) {
    this.bytes = isOwn && pieces.length === 1 ? pieces[0] : undefined
    this.size = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
    this.#pieces = pieces
    if (xxh64 !== undefined) this.#known.set('xxh64', Promise.resolve(xxh64))
    this.#digests = digests
  }

  body(pace: BodyPace, onSent: (bytes: number) => void): Body {
    const views = () => this.#views(pace)
    return bodyOf({ size: this.size, views }, pace, onSent)
  }

  *#views(pace: BodyPace): Generator<Uint8Array, void, undefined> {
    for (const piece of this.#pieces) {
      for (let start = 0; start < piece.byteLength;) {
        const view = piece.subarray(start, start + pace.size)
        yield view
        start += view.byteLength
      }
    }
  }

  digest(kind: ContentDigest): Promise<string> {
    const known = this.#known.get(kind)
    if (known !== undefined) return known
    const value =
      kind === 'xxh64'
        ? xxh64Of(this.#pieces)
        : this.#digests.digest(kind, ...this.#pieces)
    this.#known.set(kind, value)
    return value
  }

  expect(kind: ContentDigest): void {
    // Whoever asks for it hears of its failure.
    this.digest(kind).catch(() => undefined)
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#known.values())
  }
}

/**
 * Bytes in a source's own memory, of which the xxHash64 is known. Whatever else is
 * wanted of them is done with a copy, which `copied` makes once, or throws.
 */
export class KeptContent implements PartContent {
  readonly size: number
  readonly #xxh64: string
  readonly #copied: () => readonly Uint8Array[]
  readonly #digests: Pick<Digests, 'digest'>
  #content: MemoryContent | undefined

  constructor(
    size: number,
    xxh64: string,
    copied: () => readonly Uint8Array[],
    digests: Pick<Digests, 'digest'>,
  ) {
    this.size = size
    this.#xxh64 = xxh64
    this.#copied = copied
    this.#digests = digests
  }

  get #own(): MemoryContent {
    this.#content ??= new MemoryContent(
      this.#copied(),
      this.#xxh64,
      this.#digests,
    )
    return this.#content
  }

  body(pace: BodyPace, onSent: (bytes: number) => void): Body {
    return this.#own.body(pace, onSent)
  }

  async digest(kind: ContentDigest): Promise<string> {
    return kind === 'xxh64' ? this.#xxh64 : this.#own.digest(kind)
  }

  expect(kind: ContentDigest): void {
    // Whoever asks for it hears of its failure.
    this.digest(kind).catch(() => undefined)
  }

  async settled(): Promise<void> {
    await this.#content?.settled()
  }
}

/** Digests of some bytes, by their kind. */
export type KnownDigests = ReadonlyMap<ContentDigest, string>

/** The same bytes, from where they can be read once more. */
export interface ContentAgain {
  readonly content: PartContent
  /** Gives the memory back, when it has settled. */
  release(): void
}

/**
 * Bytes of a file in memory, since a digest goes before them. The memory is given back
 * when all of it has left, and not only when the answer is there: others are read
 * meanwhile. What is wanted of them after that is read `again`, and must be the same.
 */
export class HeldContent implements PartContent {
  readonly size: number
  readonly isReadAnew = true
  readonly #held: MemoryContent
  readonly #free: () => void
  readonly #makeAgain: (known: KnownDigests) => ContentAgain
  /** What was asked for, while they were held and since then. */
  readonly #asked = new Map<ContentDigest, Promise<string>>()
  /** Resolves when the memory was given back, with the digests that are known. */
  #leaving: Promise<KnownDigests> | undefined
  #again: ContentAgain | undefined

  /** `free` gives the memory back; idempotent. */
  constructor(
    held: MemoryContent,
    free: () => void,
    again: (known: KnownDigests) => ContentAgain,
  ) {
    this.size = held.size
    this.#held = held
    this.#free = free
    this.#makeAgain = again
  }

  body(pace: BodyPace, onSent: (bytes: number) => void): Body {
    return () => {
      const leaving = this.#leaving
      if (leaving !== undefined) return this.#sendAgain(leaving, pace, onSent)
      let left = this.size
      const tell = (bytes: number): void => {
        onSent(bytes)
        left -= bytes
        if (left === 0) this.#leaving ??= this.#leave()
      }
      return this.#held.body(pace, tell)()
    }
  }

  async *#sendAgain(
    leaving: Promise<KnownDigests>,
    pace: BodyPace,
    onSent: (bytes: number) => void,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    yield* this.#readAgain(await leaving).body(pace, onSent)()
  }

  async #leave(): Promise<KnownDigests> {
    const known = new Map<ContentDigest, string>()
    const digests = [...this.#asked].map(async ([kind, digest]) => {
      known.set(kind, await digest)
    })
    // Who asked for one hears of its failure.
    await Promise.allSettled(digests)
    this.#free()
    return known
  }

  #readAgain(known: KnownDigests): PartContent {
    this.#again ??= this.#makeAgain(known)
    return this.#again.content
  }

  digest(kind: ContentDigest): Promise<string> {
    let digest = this.#asked.get(kind)
    if (digest !== undefined) return digest
    digest =
      this.#leaving?.then((known) => this.#readAgain(known).digest(kind)) ??
      this.#held.digest(kind)
    this.#asked.set(kind, digest)
    return digest
  }

  expect(kind: ContentDigest): void {
    // Whoever asks for it hears of its failure.
    this.digest(kind).catch(() => undefined)
  }

  async settled(): Promise<void> {
    await this.#leaving
    await this.#held.settled()
    await this.#again?.content.settled()
  }

  /** When it has settled. */
  release(): void {
    this.#free()
    this.#again?.release()
    this.#again = undefined
  }
}

/** A digest that is worked out on this thread. */
export async function createHash(
  kind: ContentDigest,
  digests: Pick<Digests, 'create'>,
): Promise<RunningDigest> {
  if (kind !== 'xxh64') return digests.create(kind)
  const xxh64 = (await loadXxh64()).create()
  return {
    update: (data) => xxh64.update(data),
    digest: () => hex64(xxh64.digest()),
  }
}

async function xxh64Of(pieces: readonly Uint8Array[]): Promise<string> {
  const xxh64 = (await loadXxh64()).create()
  for (const piece of pieces) xxh64.update(piece)
  return hex64(xxh64.digest())
}
