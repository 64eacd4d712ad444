/**
 * When V8 needs help to free the chunks of a source. Pure.
 *
 * A chunk is memory beside the heap and is free when V8 has collected. A young
 * collection would do, and costs next to nothing; one comes when the young heap
 * is full, or for every 32 MiB of chunks. A full one comes when heap and chunks
 * together near a limit, which in a small process settles so low that 8 to 16
 * MiB of chunks are enough: the whole heap is marked over and over, at more than
 * the cost of the upload. Garbage that fills the young heap before that prevents
 * it, and costs much less.
 *
 * So: after full collections that came soon after one another there is garbage
 * to make, until a long time has passed without one. Figures: bench/README.md.
 */
const MiB = 1024 ** 2
/** Bytes of chunks between full collections that are too near. */
const near = 32 * MiB
/** Bytes of chunks after which there is nothing to fear. */
const long = 1024 * MiB
/** Of garbage for a byte of chunks: 8 MiB of them fill a young heap of 16 MiB. */
const share = 2
/** Near collections that call for it; twice as many are remembered. */
const enough = 2

export class CollectionPace {
  #since = 0
  #near = 0

  /** Chunks came by; returns the bytes of garbage to make. */
  took(bytes: number): number {
    this.#since += bytes
    if (this.#since >= long) this.#near = 0
    return this.#near >= enough ? bytes * share : 0
  }

  /** There was a full collection. */
  collected(): void {
    const change = this.#since < near ? 1 : -1
    this.#near = Math.min(2 * enough, Math.max(0, this.#near + change))
    this.#since = 0
  }
}
