/**
 * A part of a file that is not held: read in views, hashed as it goes by, read
 * again for each attempt.
 *
 * With one buffer a view is valid until the next one is asked for, and other
 * parts use the time. With two, the next one is read while a view is on its way
 * out. At most one pass goes on at a time, and none after its iterator has
 * returned.
 *
 * Every pass that reaches the end must give the same digests, and the file must
 * not have been written to; else `PAWL_SOURCE_CHANGED`, before the last view is
 * handed out, so that no complete body of mixed bytes ever reaches a server.
 */
import type { Digests } from '../../hash/digest.js'
import { hex64, loadXxh64 } from '../../hash/xxh64.js'
import type { Body } from '../../store/object-store.js'
import type { FileSource } from './file-source.js'
import type { ContentDigest, PartContent } from './part-content.js'
import type { ViewPace } from './view-pace.js'

interface Hasher {
  kind: ContentDigest
  update(data: Uint8Array): void
  digest(): string
}

export interface FilePartOptions {
  source: FileSource
  /** Bytes from the start of the file. */
  offset: number
  size: number
  /** The memory for views: one, or two in turn, of the same length. */
  buffers: readonly Uint8Array[]
  digests: Pick<Digests, 'create'>
  /** Hears of bytes read for the first time. */
  onRead: (bytes: number) => void
}

export class FilePartContent implements PartContent {
  readonly size: number
  readonly #options: FilePartOptions
  readonly #kinds = new Set<ContentDigest>()
  readonly #known = new Map<ContentDigest, string>()
  #pass: Promise<unknown> | undefined
  #read = 0

  constructor(options: FilePartOptions) {
    this.size = options.size
    this.#options = options
  }

  body(pace: ViewPace, onSent: (bytes: number) => void): Body {
    const views = () => this.#views(() => pace.size)
    return async function* body() {
      for await (const view of views()) {
        const { byteLength } = view
        const sent = pace.start(byteLength)
        yield view
        sent()
        onSent(byteLength)
      }
    }
  }

  expect(kind: ContentDigest): void {
    this.#kinds.add(kind)
  }

  async digest(kind: ContentDigest): Promise<string> {
    const known = this.#known.get(kind)
    if (known !== undefined) return known
    this.expect(kind)
    const pass = this.#readAll()
    this.#pass = pass
    await pass
    return this.#known.get(kind) ?? this.digest(kind)
  }

  async settled(): Promise<void> {
    await Promise.allSettled([this.#pass])
  }

  async #readAll(): Promise<void> {
    const views = this.#views(() => Infinity)
    while ((await views.next()).done !== true) {
      // Hashing is all that is wanted of them.
    }
  }

  /** `wanted`: bytes of the view that is read next, if there is room for them. */
  async *#views(
    wanted: () => number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { source, buffers, size, offset, digests } = this.#options
    const hashers = await Promise.all(
      [...this.#kinds].map((kind) => createHasher(kind, digests)),
    )
    let read = 0
    let turn = 0
    const readNext = async (): Promise<Uint8Array> => {
      const buffer = buffers[turn++ % buffers.length]
      if (buffer === undefined) throw new Error('a part without memory')
      const start = read
      const view = buffer.subarray(0, Math.min(wanted(), size - start))
      read += view.byteLength
      await source.read(view, offset + start)
      return view
    }
    let ahead: Promise<Uint8Array> | undefined
    // No view comes of an empty part, and it has its digests all the same.
    if (size === 0) await this.#end(hashers)
    try {
      for (let end = 0; end < size;) {
        const view: Uint8Array = await (ahead ?? readNext())
        end += view.byteLength
        ahead = buffers.length > 1 && end < size ? readNext() : undefined
        // Its failure is told when its turn comes.
        ahead?.catch(() => undefined)
        for (const hasher of hashers) hasher.update(view)
        this.#tellRead(end)
        if (end === size) await this.#end(hashers)
        yield view
      }
    } finally {
      // Nothing may be written into the buffers after this.
      await ahead?.catch(() => undefined)
    }
  }

  async #end(hashers: readonly Hasher[]): Promise<void> {
    const { source, offset } = this.#options
    await source.mustBeUnchanged()
    for (const hasher of hashers) {
      const { kind } = hasher
      const value = hasher.digest()
      const before = this.#known.get(kind)
      if (before !== undefined && before !== value) {
        throw source.changed(
          `the ${this.size} bytes from ${offset} on are not the same when read again`,
        )
      }
      this.#known.set(kind, value)
    }
  }

  #tellRead(end: number): void {
    if (end <= this.#read) return
    this.#options.onRead(end - this.#read)
    this.#read = end
  }
}

export async function createHasher(
  kind: ContentDigest,
  digests: Pick<Digests, 'create'>,
): Promise<Hasher> {
  if (kind !== 'xxh64') {
    const hash = await digests.create(kind)
    return {
      kind,
      update: (data) => hash.update(data),
      digest: () => hash.digest(),
    }
  }
  const xxh64 = (await loadXxh64()).create()
  return {
    kind,
    update: (data) => xxh64.update(data),
    digest: () => hex64(xxh64.digest()),
  }
}
