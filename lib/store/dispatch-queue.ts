/**
 * Which requests wait in a dispatcher that is not ours, and which for their
 * connection. It does not say, so it is worked out: a request connects when
 * nothing of ours is under way, or when one that came later has begun.
 */

/** One request, from its dispatch to its end. */
export interface Place {
  readonly entered: number
  /** When a request that came later had begun first. */
  overtaken: number | undefined
  state: 'waiting' | 'under way' | 'gone'
}

/** Times are ms by one clock that never goes back. */
export class DispatchQueue {
  readonly #waiting = new Set<Place>()
  #underWay = 0
  #lastEnd = -Infinity

  enter(now: number): Place {
    const place: Place = {
      entered: now,
      overtaken: undefined,
      state: 'waiting',
    }
    this.#waiting.add(place)
    return place
  }

  /** Idempotent: a dispatcher that tries again begins a request again. */
  begin(place: Place, now: number): void {
    if (place.state !== 'waiting') return
    for (const earlier of this.#waiting) {
      if (earlier === place) break
      earlier.overtaken ??= now
    }
    this.#waiting.delete(place)
    this.#underWay += 1
    place.state = 'under way'
  }

  end(place: Place, now: number): void {
    this.#waiting.delete(place)
    if (place.state === 'under way') {
      this.#underWay -= 1
      this.#lastEnd = now
    }
    place.state = 'gone'
  }

  /** Undefined while the request may be waiting for others. */
  connectingSince({ entered, overtaken }: Place): number | undefined {
    if (this.#underWay === 0) return Math.max(entered, this.#lastEnd)
    return overtaken
  }
}
