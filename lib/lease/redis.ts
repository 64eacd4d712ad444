/**
 * A log in Redis or Valkey, which any machine that reaches it goes on from.
 *
 * @module pawl/redis
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { realEnvironment, type Environment } from '../environment.js'
import { invalidOption, UploadError } from '../errors.js'
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import { bufferOn } from '../realm.js'
import { LeasedCheckpoint, logLocked } from './leased-checkpoint.js'
import { checkLease, checkLogName, stepTimeout } from './options.js'
import {
  asLogFailure,
  bytesOf,
  listOf,
  RedisRefusal,
  sendingTo,
  textOf,
  type RedisClient,
  type SendToRedis,
} from './redis-client.js'
import {
  promisesOf,
  readFacts,
  tooFew,
  type RedisDurability,
  type RedisWait,
} from './redis-promises.js'
import {
  appendScript,
  closeScript,
  openScript,
  removeScript,
  renewScript,
  setAsideScript,
} from './redis-scripts.js'
import {
  Unheard,
  type Hold,
  type LeaseSteps,
  type OpenedLog,
  type Outcome,
} from './steps.js'

export type { RedisClient, RedisWord } from './redis-client.js'
export type { RedisDurability } from './redis-promises.js'

/** Where the log is, and how it is held. */
export interface RedisCheckpointOptions {
  /** A connected client of `ioredis`, `iovalkey` or `redis`. */
  client: RedisClient
  /** The log's name, the same for each run; another one for each upload. */
  name: string
  /** What its keys begin with. Default `pawl`. */
  prefix?: string
  /**
   * ms after its last sign of life that another run may take a log. Default
   * 30,000, from 1000.
   */
  lease?: number
  /**
   * When an append counts as written. Default: when the server has answered; what a
   * crash or a failover of it then loses costs time, and never an object.
   */
  durability?: RedisDurability
}

const names: NamesOf<RedisCheckpointOptions> = {
  client: true,
  durability: true,
  lease: true,
  name: true,
  prefix: true,
}

/**
 * A log in Redis or Valkey, from 6.2; the same name is given to each run, on
 * whichever machine. Kept under `prefix:{name}:log` and `…:hold`, which are one
 * slot of a cluster, and removed when the object is complete.
 *
 * Throws `PAWL_INVALID_OPTION`. Opening rejects with `PAWL_CHECKPOINT_LOCKED` while
 * another run's lease lasts, with `PAWL_CHECKPOINT_UNSAFE` where the server may drop
 * any key, and with `PAWL_INVALID_OPTION` for a durability that it does not have;
 * any call with `PAWL_CHECKPOINT_LOST` or `_IO`.
 *
 * @example
 * const checkpoint = redisCheckpoint({ client: new Redis(url), name: 'db.dump' })
 */
export function redisCheckpoint(options: RedisCheckpointOptions): Checkpoint
/** @internal */
export function redisCheckpoint(
  options: RedisCheckpointOptions,
  environment: Environment,
): Checkpoint
export function redisCheckpoint(
  options: RedisCheckpointOptions,
  environment: Environment = realEnvironment,
): Checkpoint {
  checkKnownOptions(options, {
    of: 'redisCheckpoint',
    names: Object.keys(names),
    elsewhere: { key: 'name', redis: 'client', ttl: 'lease' },
  })
  const { prefix = 'pawl', durability } = options
  if (!/^[\w.:-]{1,128}$/.test(prefix)) {
    invalidOption(
      'redisCheckpoint: prefix must be of letters, digits and . : - _',
    )
  }
  const lease = checkLease(options.lease ?? 30_000)
  const steps = new RedisSteps(sendingTo(options.client), {
    name: checkLogName(options.name),
    prefix,
    durability: checkDurability(durability),
    lease,
  })
  return new LeasedCheckpoint(steps, { lease, environment })
}

function checkDurability(
  given: RedisDurability | undefined,
): RedisDurability | undefined {
  if (given === undefined || given === 'fsync') return given
  const { replicas } = given
  if (Number.isSafeInteger(replicas) && replicas >= 1 && replicas <= 100) {
    return given
  }
  return invalidOption(
    "redisCheckpoint: durability must be 'fsync' or { replicas: 1 } and more",
  )
}

/**
 * On how many connections in a row a step is repeated before it is given up.
 */
const mostConnections = 5

class RedisSteps implements LeaseSteps {
  readonly name: string
  readonly timeout: number
  readonly #send: SendToRedis
  readonly #keys: readonly [log: string, hold: string]
  readonly #durability: RedisDurability | undefined
  /** ms that the server waits for replicas, or for its disk. */
  readonly #patience: number
  #wait: RedisWait = { by: 'nothing' }

  constructor(
    send: SendToRedis,
    {
      name,
      prefix,
      durability,
      lease,
    }: {
      name: string
      prefix: string
      durability: RedisDurability | undefined
      lease: number
    },
  ) {
    this.name = `the log ${JSON.stringify(name)} in Redis`
    this.timeout = stepTimeout(lease)
    this.#send = send
    // In braces: all keys of a log are in one slot of a cluster.
    const stem = `${prefix}:{${encodeURIComponent(name)}}`
    this.#keys = [`${stem}:log`, `${stem}:hold`]
    this.#durability = durability
    // Less than a step may take.
    this.#patience = Math.floor(this.timeout / 2)
  }

  async open({ token, lease }: Hold): Promise<OpenedLog> {
    const { wait, canLose } = promisesOf(
      this.name,
      await readFacts(this.#send),
      this.#durability,
    )
    this.#wait = wait
    const reply = await this.#run(openScript, [], token, String(lease))
    const [how, time, length, bytes] = listOf(reply)
    if (textOf(how) === 'locked') {
      throw logLocked(this.name, Number(textOf(time)))
    }
    const log = bytesOf(bytes)
    if (log.length !== Number(textOf(length))) {
      throw new UploadError(
        'PAWL_INVALID_OPTION',
        `${this.name}: the client gives text where bytes were asked for; give it one of ioredis, iovalkey or redis from 5`,
      )
    }
    const free = Number(textOf(time))
    return { bytes: log, canLose, freeFor: free < 0 ? undefined : free }
  }

  async peek(): Promise<Uint8Array> {
    const [key] = this.#keys
    try {
      const found = await this.#send('GET', key)
      return found === null ? new Uint8Array() : bytesOf(found)
    } catch (error) {
      throw asLogFailure(this.name, error)
    }
  }

  async append(
    { token, lease }: Hold,
    size: number,
    bytes: Uint8Array,
  ): Promise<Outcome> {
    const view = bufferOn(bytes)
    return this.#durably(() =>
      this.#outcome(appendScript, [], token, String(lease), String(size), view),
    )
  }

  renew({ token, lease }: Hold): Promise<Outcome> {
    return this.#outcome(renewScript, [], token, String(lease))
  }

  setAside({ token, lease }: Hold, aside: string): Promise<Outcome> {
    const key = `${this.#keys[0]}:${aside}`
    return this.#outcome(setAsideScript, [key], token, String(lease))
  }

  remove({ token, lease }: Hold): Promise<Outcome> {
    return this.#outcome(removeScript, [], token, String(lease))
  }

  close({ token, lease }: Hold): Promise<Outcome> {
    return this.#outcome(closeScript, [], token, String(lease))
  }

  async #outcome(
    script: string,
    more: string[],
    ...args: (string | Buffer)[]
  ): Promise<Outcome> {
    const said = textOf(await this.#run(script, more, ...args))
    if (said === 'done' || said === 'taken' || said === 'elsewhere') return said
    throw new UploadError(
      'PAWL_CHECKPOINT_IO',
      `${this.name}: Redis gave an answer that is none of its steps'`,
    )
  }

  async #run(
    script: string,
    more: string[],
    ...args: (string | Buffer)[]
  ): Promise<unknown> {
    const keys = [...this.#keys, ...more]
    try {
      return await this.#send(
        'EVAL',
        script,
        String(keys.length),
        ...keys,
        ...args,
      )
    } catch (error) {
      throw asLogFailure(this.name, error)
    }
  }

  /**
   * A step, and what is waited for after it. WAIT counts the writes of its own
   * connection only: on another one it would wait for nothing, and say that all is
   * well. So the step is repeated, which writes again, until both were on one.
   */
  async #durably(step: () => Promise<Outcome>): Promise<Outcome> {
    const wait = this.#wait
    if (wait.by === 'nothing') return step()
    for (let round = 1; round <= mostConnections; round++) {
      const before = await this.#connection()
      const outcome = await step()
      if (outcome !== 'done') return outcome
      const found = await this.#waited(wait)
      if ((await this.#connection()) !== before) continue
      if (found >= (wait.by === 'replicas' ? wait.replicas : 1)) return outcome
      throw wait.by === 'replicas'
        ? tooFew(this.name, found, wait.replicas)
        : new UploadError(
            'PAWL_CHECKPOINT_IO',
            `${this.name}: Redis did not say within ${this.#patience} ms that it is on its disk`,
          )
    }
    throw new Unheard('the connection was another one each time')
  }

  /** How many have it: replicas, or the server's own disk. */
  async #waited(wait: RedisWait): Promise<number> {
    const ms = String(this.#patience)
    try {
      const reply =
        wait.by === 'replicas'
          ? await this.#send('WAIT', String(wait.replicas), ms)
          : await this.#send('WAITAOF', '1', '0', ms)
      return Number(textOf(listOf(reply)[0]))
    } catch (error) {
      throw asLogFailure(this.name, error)
    }
  }

  async #connection(): Promise<string> {
    try {
      return textOf(await this.#send('CLIENT', 'ID'))
    } catch (error) {
      if (!(error instanceof RedisRefusal)) throw error
      return invalidOption(
        `${this.name}: durability needs CLIENT ID, which this user may not send`,
      )
    }
  }
}
