/** How fast something grows, and so when it will be done. */

/** How far back the rate looks, ms. */
const span = 10_000
/** ms between two samples that are kept; thousands of files tell of more. */
const step = 100

export class Rate {
  readonly #samples: { time: number; value: number }[] = []

  /** `value` must not shrink; `time` in ms. */
  add(value: number, time: number): void {
    const samples = this.#samples
    const [before, last] = samples.slice(-2)
    if (last !== undefined && before && time - before.time < step) {
      Object.assign(last, { time, value })
      return
    }
    samples.push({ time, value })
    // One sample from before the span stays, to measure from.
    while (samples.length > 2 && time - (samples[1]?.time ?? time) >= span) {
      samples.shift()
    }
  }

  /** Units a second; undefined while there is too little to tell. */
  get perSecond(): number | undefined {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined) return undefined
    const elapsed = last.time - first.time
    return elapsed < 500
      ? undefined
      : ((last.value - first.value) / elapsed) * 1000
  }

  /** ms until `rest` more; undefined when nobody knows. */
  timeFor(rest: number): number | undefined {
    const perSecond = this.perSecond
    if (perSecond === undefined || perSecond <= 0) return undefined
    return (rest / perSecond) * 1000
  }
}
