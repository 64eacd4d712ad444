/**
 * The CPU that work takes of a Redis: what its process has taken, less what one of
 * the same settings takes in the same time that nobody uses, and less each start.
 */
import type { Redis } from 'ioredis'

export class RedisCost {
  readonly #used: Redis
  readonly #idle: Redis
  #from: readonly [used: number, idle: number] = [0, 0]
  /** µs, of work alone. */
  work = 0
  /** µs, idling and each start included. */
  all = 0
  /** Calls and µs of each command. */
  readonly #commands = new Map<string, { calls: number; usec: number }>()

  constructor(used: Redis, idle: Redis) {
    this.#used = used
    this.#idle = idle
  }

  /** After a start. */
  async begin(): Promise<void> {
    const [used, idle] = await this.#both()
    this.#from = [cpuIn(used), cpuIn(idle)]
  }

  /** Adds what was spent since `begin`: of a server that is about to end. */
  async add(): Promise<void> {
    const [used, idle] = await this.#both()
    const spent = cpuIn(used)
    this.all += spent
    this.work += spent - this.#from[0] - (cpuIn(idle) - this.#from[1])
    for (const [, name = '', calls, usec] of used.matchAll(
      /^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm,
    )) {
      const sum = this.#commands.get(name) ?? { calls: 0, usec: 0 }
      sum.calls += Number(calls)
      sum.usec += Number(usec)
      this.#commands.set(name, sum)
    }
  }

  /** The dearest first, a line each; those within scripts count twice. */
  lines(most: number): string[] {
    return [...this.#commands]
      .toSorted(([, a], [, b]) => b.usec - a.usec)
      .slice(0, most)
      .map(([name, { calls, usec }]) => `${name}: ${calls} calls, ${usec} µs`)
  }

  #both(): Promise<[string, string]> {
    return Promise.all([
      this.#used.info('everything'),
      this.#idle.info('everything'),
    ])
  }
}

/** µs, of user and system. */
function cpuIn(info: string): number {
  const of = (name: string): number =>
    Number(new RegExp(`^${name}:([0-9.]+)`, 'm').exec(info)?.[1])
  return (of('used_cpu_user') + of('used_cpu_sys')) * 1e6
}
