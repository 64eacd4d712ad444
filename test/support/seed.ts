/** Numbers by chance that can be had again. */

/** Mulberry32: numbers from 0, below 1, the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A seed from the environment (PAWL_SEED), or a new one. */
export function seedFor(): number {
  const given = process.env['PAWL_SEED']
  return given === undefined ? Date.now() & 0x7fffffff : Number(given)
}
