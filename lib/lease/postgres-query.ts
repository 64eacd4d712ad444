/** One statement of PostgreSQL, whichever package sends it. */
import { UploadError } from '../errors.js'
import { systemCode } from '../realm.js'
import { Unheard } from './steps.js'

/** A row, by the names of its columns. */
export type PostgresRow = Readonly<Record<string, unknown>>

/**
 * Sends a statement with its values `$1`, `$2`, … and resolves to its rows, as a
 * list or under `rows`. Values are strings, numbers and Buffers; `bytea` comes back
 * as a Buffer.
 */
export type PostgresQuery = (
  text: string,
  values: unknown[],
) => Promise<PostgresAnswer | readonly PostgresRow[]>

/** What `pg` answers a statement with, and others like it. */
export interface PostgresAnswer {
  /** In their order. */
  rows: PostgresRow[]
}

export type AskPostgres = (
  text: string,
  values: unknown[],
) => Promise<readonly PostgresRow[]>

/** Classes of SQLSTATE that pass by themselves: connections, restarts, room. */
const passing = /^(08|40|57P0|53300|25006|55P03)/

/** Rejects with `Unheard` where the same statement may be sent again. */
export function asking(query: PostgresQuery, name: string): AskPostgres {
  return async (text, values) => {
    try {
      const answer = await query(text, values)
      return 'rows' in answer ? answer.rows : answer
    } catch (error) {
      throw failureOf(name, systemCode(error))
    }
  }
}

function failureOf(name: string, code: string): Error {
  // Without an SQLSTATE nobody knows whether the statement was carried out.
  const isRefusal = /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code)
  if (!isRefusal || passing.test(code)) {
    const why = code === '' ? 'the connection was lost' : code
    return new Unheard(`PostgreSQL could not be asked: ${why}`)
  }
  if (code === '42P01' || code === '42703') {
    return new UploadError(
      'PAWL_INVALID_OPTION',
      `${name}: its tables are not there, or of another version; make them with postgresTables of pawl/postgres`,
    )
  }
  const advice: Record<string, string> = {
    '42501': '; this role may not write to its tables',
    '53100': '; its disk is full',
  }
  return new UploadError(
    'PAWL_CHECKPOINT_IO',
    `${name}: PostgreSQL answered ${code}${advice[code] ?? ''}`,
  )
}
