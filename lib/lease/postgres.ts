/**
 * A log in PostgreSQL, which any machine that reaches it goes on from.
 *
 * @module pawl/postgres
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { realEnvironment, type Environment } from '../environment.js'
import { invalidOption, UploadError } from '../errors.js'
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import { bufferOn, isUint8Array } from '../realm.js'
import { LeasedCheckpoint, logLocked } from './leased-checkpoint.js'
import { checkLease, checkLogName, stepTimeout } from './options.js'
import {
  asking,
  type AskPostgres,
  type PostgresQuery,
  type PostgresRow,
} from './postgres-query.js'
import {
  Unheard,
  type Hold,
  type LeaseSteps,
  type OpenedLog,
  type Outcome,
} from './steps.js'

export type {
  PostgresAnswer,
  PostgresQuery,
  PostgresRow,
} from './postgres-query.js'

/**
 * The tables of all logs, to be made once, by a migration or by hand; running it
 * again does nothing. A log's rows go when its object is complete.
 */
export const postgresTables = `CREATE TABLE IF NOT EXISTS pawl_log (
  name text PRIMARY KEY,
  token text,
  epoch bigint NOT NULL DEFAULT 1,
  until timestamptz,
  ended timestamptz,
  size bigint NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS pawl_log_block (
  name text NOT NULL
    REFERENCES pawl_log ON DELETE CASCADE ON UPDATE CASCADE,
  start bigint NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (name, start)
);
`

/** Where the log is, and how it is held. */
export interface PostgresCheckpointOptions {
  /**
   * Sends one statement with its values, on whichever connection, and resolves to
   * its rows: `(text, values) => pool.query(text, values)` with `pg`. Each step is
   * one statement, so that it works through PgBouncer in any mode.
   */
  query: PostgresQuery
  /** The log's name, the same for each run; another one for each upload. */
  name: string
  /**
   * ms after its last sign of life that another run may take a log. Default
   * 30,000, from 1000.
   */
  lease?: number
}

const names: NamesOf<PostgresCheckpointOptions> = {
  lease: true,
  name: true,
  query: true,
}

/**
 * A log in PostgreSQL, from 12; the same name is given to each run, on whichever
 * machine. Its tables are {@link postgresTables}.
 *
 * Throws `PAWL_INVALID_OPTION`. Opening rejects with `PAWL_CHECKPOINT_LOCKED` while
 * another run's lease lasts, with `PAWL_CHECKPOINT_UNSAFE` where what is committed
 * need not be on a disk (`synchronous_commit` or `fsync` off), and with
 * `PAWL_INVALID_OPTION` without the tables; any call with `PAWL_CHECKPOINT_LOST` or
 * `_IO`.
 *
 * @example
 * const query = (text, values) => pool.query(text, values)
 * const checkpoint = postgresCheckpoint({ query, name: 'db.dump' })
 */
export function postgresCheckpoint(
  options: PostgresCheckpointOptions,
): Checkpoint
/** @internal */
export function postgresCheckpoint(
  options: PostgresCheckpointOptions,
  environment: Environment,
): Checkpoint
export function postgresCheckpoint(
  options: PostgresCheckpointOptions,
  environment: Environment = realEnvironment,
): Checkpoint {
  checkKnownOptions(options, {
    of: 'postgresCheckpoint',
    names: Object.keys(names),
    elsewhere: {
      client: 'query: (text, values) => client.query(text, values)',
      pool: 'query: (text, values) => pool.query(text, values)',
    },
  })
  const { query } = options
  if (typeof query !== 'function') {
    invalidOption(
      'postgresCheckpoint: query must be a function: (text, values) => pool.query(text, values)',
    )
  }
  const lease = checkLease(options.lease ?? 30_000)
  const name = checkLogName(options.name)
  const steps = new PostgresSteps(query, name, lease)
  return new LeasedCheckpoint(steps, { lease, environment })
}

/** The server's clock, not the transaction's: a statement may have waited. */
const until = `clock_timestamp() + $3 * interval '1 ms'`
const ms = (span: string): string =>
  `(extract(epoch from ${span}) * 1000)::float8`

const promises = `SELECT pg_is_in_recovery() AS standby,
  current_setting('synchronous_commit') AS commits,
  current_setting('fsync') AS fsync,
  current_setting('synchronous_standby_names') AS synchronous,
  (SELECT count(*) FROM pg_stat_replication)::int
    + (SELECT count(*) FROM pg_replication_slots
      WHERE slot_type = 'physical')::int AS replicas`

/** Takes it where nobody holds it, or no longer; no row: somebody does. */
const take = `INSERT INTO pawl_log AS log (name, token, until)
  VALUES ($1, $2, ${until})
  ON CONFLICT (name) DO UPDATE SET
    token = $2, until = ${until}, epoch = log.epoch + 1,
    ended = CASE WHEN log.token IS NULL OR log.token = $2
      THEN log.ended ELSE log.until END
  WHERE log.token IS NULL OR log.token = $2 OR log.until <= clock_timestamp()
  RETURNING log.size::text AS size, ${ms('clock_timestamp() - log.ended')} AS free`

const left = `SELECT ${ms('until - clock_timestamp()')} AS left
  FROM pawl_log WHERE name = $1`

const blocks = `SELECT bytes FROM pawl_log_block WHERE name = $1 ORDER BY start`

/** What is compared is compared by what writes: a look before it would be a race. */
const append = `WITH held AS (
    UPDATE pawl_log SET size = size + length($5::bytea), until = ${until}
    WHERE name = $1 AND token = $2 AND size = $4 RETURNING name)
  INSERT INTO pawl_log_block (name, start, bytes)
  SELECT name, $4, $5::bytea FROM held RETURNING start`

/** Of an append that wrote nothing: whose the log is, and whether it is there already. */
const whyNot = `SELECT token = $2 AS held,
    size = $3 + length($4::bytea) AND EXISTS (
      SELECT FROM pawl_log_block AS block WHERE block.name = log.name
        AND start = $3 AND bytes = $4::bytea) AS there
  FROM pawl_log AS log WHERE name = $1`

const renew = `UPDATE pawl_log SET until = ${until}
  WHERE name = $1 AND token = $2 RETURNING name`

/**
 * The blocks go along with the name, and the hold stays, in a row of its own. Said
 * again it does nothing.
 */
const setAside = `WITH held AS (
    SELECT * FROM pawl_log WHERE name = $1 AND token = $2 FOR UPDATE),
  kept AS (
    INSERT INTO pawl_log (name, size) SELECT $4, size FROM held
    ON CONFLICT DO NOTHING RETURNING name),
  emptied AS (
    UPDATE pawl_log SET size = 0, until = ${until}
    WHERE name = $1 AND token = $2 AND EXISTS (SELECT FROM kept) RETURNING name)
  SELECT (SELECT count(*) FROM held)::int AS held`

/** Those that were set aside, and only those, go with the row that was made for them. */
const moveBlocks = `UPDATE pawl_log_block SET name = $3
  WHERE name = $1 AND EXISTS (
    SELECT FROM pawl_log WHERE name = $1 AND token = $2 AND size = 0)`

const remove = `DELETE FROM pawl_log WHERE name = $1 AND token = $2 RETURNING name`
const isThere = `SELECT token FROM pawl_log WHERE name = $1`

/** An empty log leaves nothing. */
const close = `WITH emptied AS (
    DELETE FROM pawl_log
    WHERE name = $1 AND token = $2 AND size = 0 RETURNING name)
  UPDATE pawl_log
  SET token = NULL, until = NULL, ended = clock_timestamp()
  WHERE name = $1 AND token = $2 AND NOT EXISTS (SELECT FROM emptied)`

class PostgresSteps implements LeaseSteps {
  readonly name: string
  readonly timeout: number
  readonly #log: string
  readonly #ask: AskPostgres

  constructor(query: PostgresQuery, log: string, lease: number) {
    this.timeout = stepTimeout(lease)
    this.name = `the log ${JSON.stringify(log)} in PostgreSQL`
    this.#log = log
    this.#ask = asking(query, this.name)
  }

  async open({ token, lease }: Hold): Promise<OpenedLog> {
    const canLose = this.#promises(await this.#first(promises, []))
    const taken = await this.#first(take, [this.#log, token, lease])
    if (taken === undefined) {
      const row = await this.#first(left, [this.#log])
      // Whoever held the log has closed it meanwhile.
      if (row === undefined || row['left'] === null) {
        throw new Unheard('it has just been let go of')
      }
      throw logLocked(this.name, Math.max(0, Math.ceil(Number(row['left']))))
    }
    const bytes = await this.peek()
    if (bytes.length !== Number(taken['size'])) {
      throw new UploadError(
        'PAWL_CHECKPOINT_IO',
        `${this.name}: its blocks are of ${bytes.length} bytes, expected ${String(taken['size'])}; rows are missing, or query gives text for bytea`,
      )
    }
    const { free } = taken
    return {
      bytes,
      canLose,
      freeFor: typeof free === 'number' ? Math.max(0, free) : undefined,
    }
  }

  async peek(): Promise<Uint8Array> {
    const rows = await this.#ask(blocks, [this.#log])
    return Buffer.concat(rows.map((row) => bytesOf(row['bytes'])))
  }

  async append(
    { token, lease }: Hold,
    size: number,
    bytes: Uint8Array,
  ): Promise<Outcome> {
    const view = bufferOn(bytes)
    const written = await this.#first(append, [
      this.#log,
      token,
      lease,
      size,
      view,
    ])
    if (written !== undefined) return 'done'
    const why = await this.#first(whyNot, [this.#log, token, size, view])
    if (why?.['held'] !== true) return 'taken'
    return why['there'] === true ? 'done' : 'elsewhere'
  }

  async renew({ token, lease }: Hold): Promise<Outcome> {
    return (await this.#first(renew, [this.#log, token, lease]))
      ? 'done'
      : 'taken'
  }

  async setAside({ token, lease }: Hold, aside: string): Promise<Outcome> {
    const name = `${this.#log}, ${aside}`
    const row = await this.#first(setAside, [this.#log, token, lease, name])
    if (row?.['held'] !== 1) return 'taken'
    await this.#ask(moveBlocks, [this.#log, token, name])
    return 'done'
  }

  async remove({ token }: Hold): Promise<Outcome> {
    if (await this.#first(remove, [this.#log, token])) return 'done'
    // No such row: an earlier attempt of this step, whose answer was lost,
    // removed it.
    return (await this.#first(isThere, [this.#log])) ? 'taken' : 'done'
  }

  async close({ token }: Hold): Promise<Outcome> {
    await this.#ask(close, [this.#log, token])
    return 'done'
  }

  async #first(
    text: string,
    values: unknown[],
  ): Promise<PostgresRow | undefined> {
    const rows = await this.#ask(text, values)
    return rows[0]
  }

  /** Whether what was committed may be lost; throws where it certainly may. */
  #promises(row: PostgresRow = {}): boolean {
    if (row['standby'] === true) {
      throw new Unheard('it is a standby, which takes no writes')
    }
    for (const name of ['commits', 'fsync']) {
      if (row[name] !== 'off') continue
      const setting = name === 'commits' ? 'synchronous_commit' : name
      throw new UploadError(
        'PAWL_CHECKPOINT_UNSAFE',
        `${this.name}: ${setting} is off, so that what is committed need not be on a disk; set it on for this role or database`,
      )
    }
    // Standbys that nobody waits for, also one that is away now: whichever takes
    // over may lag behind. With `local` and `remote_write` none has it on its disk.
    const isWaitedFor =
      row['synchronous'] !== '' &&
      ['on', 'remote_apply'].includes(String(row['commits']))
    return Number(row['replicas']) > 0 && !isWaitedFor
  }
}

function bytesOf(value: unknown): Uint8Array {
  return isUint8Array(value) ? value : new Uint8Array()
}
