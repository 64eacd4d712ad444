/**
 * The memory of uploads that have ended, for those that follow them.
 *
 * A buffer costs a page fault for every 4 KiB when it is first written to, which
 * is more than hashing what is written; and the engine, which does not count
 * shared memory, frees that of ended uploads late. So what an upload gives back
 * is kept for a moment: one upload after another has the same memory.
 *
 * Only for buffers that nobody outside has seen, and that nothing reads or
 * writes any more. All are let go as soon as one is asked for that none of them
 * can be: nobody holds what he does not use beside what he has to make.
 */
import { isSharedArrayBuffer } from '../../realm.js'
import { realEnvironment, type Environment } from '../../environment.js'

const MiB = 1024 * 1024
/** Bytes kept, at most. */
const mostBytes = 64 * MiB

export class SpareBuffers {
  #spares: Uint8Array[] = []
  #bytes = 0
  #cancel = (): void => undefined
  readonly #environment: Pick<Environment, 'timer'>
  readonly #keptFor: number

  /** `keptFor`: ms after the last upload ended. */
  constructor(environment: Pick<Environment, 'timer'>, keptFor = 5000) {
    this.#environment = environment
    this.#keptFor = keptFor
  }

  /** Bytes that wait for an upload. */
  get bytes(): number {
    return this.#bytes
  }

  /** A buffer of `size` bytes, at the start of memory that may be larger. */
  take(size: number, isShared: boolean): Uint8Array | undefined {
    const fits = ({ buffer }: Uint8Array): boolean =>
      buffer.byteLength >= size && isSharedArrayBuffer(buffer) === isShared
    // The last one in was used last.
    const index = this.#spares.findLastIndex(fits)
    const [spare] = index < 0 ? [] : this.#spares.splice(index, 1)
    if (spare === undefined) {
      this.#clear()
      return undefined
    }
    this.#bytes -= spare.buffer.byteLength
    return new Uint8Array(spare.buffer, 0, size)
  }

  /** Keeps a whole buffer, while there is room. */
  keep(buffer: Uint8Array): void {
    const { byteLength } = buffer.buffer
    if (this.#bytes + byteLength > mostBytes) return
    this.#spares.push(buffer)
    this.#bytes += byteLength
    this.#cancel()
    const clearing = this.#environment.timer(
      this.#keptFor,
      () => this.#clear(),
      { isIdle: true },
    )
    this.#cancel = () => clearing.cancel()
  }

  #clear(): void {
    this.#cancel()
    this.#spares = []
    this.#bytes = 0
  }
}

/** There is one process, and so one of these. */
export const spareBuffers = new SpareBuffers(realEnvironment)
