/**
 * Requests that are held up on their way to the store, by a balancer or a network:
 * their clients have given up, or are dead. Each arrives in its time, or at the
 * moment at which it does most harm.
 */
import type { Pending, World } from '../world.js'

export class HeldRequests {
  readonly #world: World
  #requests: Pending[] = []

  constructor(world: World) {
    this.#world = world
  }

  get isEmpty(): boolean {
    return !this.#requests.some((request) => this.#isUnderWay(request))
  }

  /** It arrives in so many ms, unless it is let through before. */
  holdUp(ms: number, arrive: () => void): Pending {
    const request = this.#world.in(ms, undefined, arrive)
    this.#requests.push(request)
    return request
  }

  /** All that is held up arrives now. */
  letThrough(): void {
    const requests = this.#requests.filter((one) => this.#isUnderWay(one))
    this.#requests = []
    for (const request of requests) {
      request.isCancelled = true
      this.#world.in(0, undefined, request.happen)
    }
  }

  #isUnderWay({ due, isCancelled }: Pending): boolean {
    return !isCancelled && due > this.#world.now
  }
}
