import { UploadError, type Checkpoint } from 'pawl'

/** What is asked of a database, with what it is in PostgreSQL. */
export interface LogTable {
  /**
   * A lock that its holder's death sets free: `pg_try_advisory_lock` on a
   * connection of its own. Resolves to how it is let go, or to undefined.
   */
  tryLock(log: string): Promise<(() => Promise<void>) | undefined>
  /** `select bytes from pawl_log where log = $1 order by number` */
  read(log: string): Promise<Uint8Array[]>
  /**
   * `insert into pawl_log (log, number, bytes) values ($1, $2, $3)`. Resolves
   * when the row is committed with `synchronous_commit` on, and rejects when
   * there is a row of that number: (log, number) is the primary key.
   */
  insert(log: string, number: number, bytes: Uint8Array): Promise<void>
  /** `update pawl_log set log = $2 where log = $1` */
  rename(log: string, to: string): Promise<void>
  /** `delete from pawl_log where log = $1` */
  delete(log: string): Promise<void>
}

/** A log in a database; the same name is given to each run. */
export function databaseCheckpoint(table: LogTable, name: string): Checkpoint {
  return new DatabaseCheckpoint(table, name)
}

class DatabaseCheckpoint implements Checkpoint {
  readonly name: string
  readonly #table: LogTable
  #unlock: (() => Promise<void>) | undefined
  #rows = 0

  constructor(table: LogTable, name: string) {
    this.#table = table
    this.name = name
  }

  async open(): Promise<Uint8Array> {
    const unlock = await this.#table.tryLock(this.name)
    if (unlock === undefined) {
      throw new UploadError(
        'PAWL_CHECKPOINT_LOCKED',
        `${this.name} is held by another upload`,
        { resumable: true },
      )
    }
    this.#unlock = unlock
    try {
      const rows = await this.#table.read(this.name)
      this.#rows = rows.length
      return Buffer.concat(rows)
    } catch (cause) {
      await this.close()
      throw this.#failed('read', cause)
    }
  }

  /**
   * A number is given once, so a run that has lost its lock without noticing
   * fails here at the latest, and never writes between another run's records.
   */
  async append(bytes: Uint8Array): Promise<void> {
    this.#mustBeOpen()
    try {
      await this.#table.insert(this.name, this.#rows + 1, bytes)
      this.#rows += 1
    } catch (cause) {
      throw this.#failed('written', cause)
    }
  }
  async setAside(): Promise<string> {
    this.#mustBeOpen()
    const aside = `${this.name}.damaged-${Date.now()}`
    try {
      await this.#table.rename(this.name, aside)
    } catch (cause) {
      throw this.#failed('set aside', cause)
    }
    this.#rows = 0
    return aside
  }

  async remove(): Promise<boolean> {
    this.#mustBeOpen()
    const isRemoved = await this.#table.delete(this.name).then(
      () => true,
      // The log ends with a record that says so: what is left does no harm.
      () => false,
    )
    await this.close()
    return isRemoved
  }

  async close(): Promise<void> {
    const unlock = this.#unlock
    this.#unlock = undefined
    await unlock?.()
  }

  #mustBeOpen(): void {
    if (this.#unlock !== undefined) return
    throw new UploadError('PAWL_INVALID_STATE', `${this.name} is not open`)
  }

  #failed(what: string, cause: unknown): UploadError {
    return new UploadError(
      'PAWL_CHECKPOINT_IO',
      `${this.name} cannot be ${what}`,
      { cause, resumable: true },
    )
  }
}
