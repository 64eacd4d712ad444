/** The log in PostgreSQL: its contract, what the server must promise, PgBouncer. */
import { execFileSync } from 'node:child_process'
import { chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import type { Checkpoint } from '../../lib/index.js'
import {
  postgresCheckpoint,
  postgresTables,
  type PostgresQuery,
} from '../../lib/lease/postgres.js'
import { temporaryDirectory } from '../support/dev-store.js'
import { freePort, startEngine } from './support/engine.js'
import {
  appendThroughOutage,
  freshName,
  playLeasedContract,
  playLeases,
  postgresSink,
} from './support/hold.js'
import {
  startPostgres,
  type PostgresServer,
} from './support/postgres-server.js'

const server = await startPostgres(t)
const pool = server.pool()
await pool.query(postgresTables)
await pool.query(postgresTables)
const query: PostgresQuery = (text, values) => pool.query(text, values)
const sink = postgresSink(pool)

/** PgBouncer in transaction mode: each statement on whichever connection. */
async function bouncer(
  t: Test,
  { port: to }: PostgresServer,
): Promise<pg.Pool> {
  const directory = await temporaryDirectory(t)
  const port = await freePort()
  const file = join(directory, 'pgbouncer.ini')
  writeFileSync(
    file,
    [
      '[databases]',
      `postgres = host=127.0.0.1 port=${to} user=postgres`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = any',
      'pool_mode = transaction',
      'default_pool_size = 3',
      '',
    ].join('\n'),
  )
  const owner = {
    uid: Number(execFileSync('id', ['-u', 'postgres']).toString()),
    gid: Number(execFileSync('id', ['-g', 'postgres']).toString()),
  }
  const isRoot = process.getuid?.() === 0
  if (isRoot) {
    for (const path of [directory, file]) chownSync(path, owner.uid, owner.gid)
  }
  await startEngine(t, {
    command: '/usr/sbin/pgbouncer',
    args: [file],
    port,
    options: { cwd: directory, ...(isRoot ? owner : {}) },
  })
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const through = new pg.Pool({ connectionString: url, max: 4 })
  t.teardown(() => through.end())
  return through
}

const ways: Record<string, (t: Test) => Promise<PostgresQuery>> = {
  'a pool of pg': async () => query,
  PgBouncer: async (t) => {
    const through = await bouncer(t, server)
    return (text, values) => through.query(text, values)
  },
  'a client that gives rows alone': async () => async (text, values) => {
    const { rows } = await pool.query(text, values)
    return rows
  },
}

for (const [name, connect] of Object.entries(ways)) {
  await t.test(`the contract, through ${name}`, async (t) => {
    const way = await connect(t)
    const named = new Map<Checkpoint, string>()
    await playLeasedContract(t, {
      checkpoint: (log) => {
        const checkpoint = postgresCheckpoint({ query: way, name: log })
        named.set(checkpoint, log)
        return checkpoint
      },
      kill: (checkpoint) => sink.endLease(named.get(checkpoint) ?? ''),
      setAside: async (said) => {
        const [, log = '', aside = ''] =
          /^the log (".*") in PostgreSQL, (.*)$/.exec(said) ?? []
        const { rows } = await pool.query<{ bytes: Buffer }>(
          'SELECT bytes FROM pawl_log_block WHERE name = $1 ORDER BY start',
          [`${JSON.parse(log) as string}, ${aside}`],
        )
        return Buffer.concat(rows.map(({ bytes }) => bytes))
      },
    })
  })
}

async function rowsOf(name: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `SELECT (SELECT count(*) FROM pawl_log WHERE name = $1)::int
      + (SELECT count(*) FROM pawl_log_block WHERE name = $1)::int AS count`,
    [name],
  )
  return rows[0]?.count ?? -1
}

await t.test('its lease', (t) => playLeases(t, sink))

await t.test('nothing is left of a log that is removed or empty', async (t) => {
  for (const end of ['remove', 'close'] as const) {
    const name = freshName()
    const log = postgresCheckpoint({ query, name })
    await log.open()
    if (end === 'remove') await log.append(Buffer.from('one'))
    await log[end]()
    t.equal(await rowsOf(name), 0, end)
  }
})

await t.test('an append whose answer was lost is not made twice', async (t) => {
  const name = freshName()
  let lost = 0
  const losing: PostgresQuery = async (text, values) => {
    const answer = await pool.query(text, values)
    if (/INSERT INTO pawl_log_block/.test(text) && lost++ === 0) {
      throw new Error('Connection terminated unexpectedly')
    }
    return answer
  }
  const log = postgresCheckpoint({ query: losing, name })
  await log.open()
  await log.append(Buffer.from('one'))
  await log.append(Buffer.from('two'))
  t.equal(lost, 3, 'the first was sent twice')
  await log.close()
  t.equal(Buffer.from(await log.open()).toString(), 'onetwo')
  await log.remove()
})

await t.test('two that serialize are asked for again', async (t) => {
  const name = freshName()
  const strict = server.pool()
  strict.on('connect', (client) => {
    void client.query('SET default_transaction_isolation = serializable')
  })
  const log = postgresCheckpoint({
    query: (text, values) => strict.query(text, values),
    name,
  })
  await log.open()
  await Promise.all([log.append(Buffer.from('one')), log.confirm?.()])
  await log.close()
  t.equal(Buffer.from(await log.open()).toString(), 'one')
  await log.remove()
})

await t.test('what the server must promise', async (t) => {
  const rows: [string, Record<string, string>][] = [
    ['commits that are not waited for', { synchronous_commit: 'off' }],
    ['no disk is waited for', { fsync: 'off' }],
  ]
  for (const [name, settings] of rows) {
    const unsafe = (await startPostgres(t, settings)).pool()
    await unsafe.query(postgresTables)
    const log = postgresCheckpoint({
      query: (text, values) => unsafe.query(text, values),
      name: 'a',
    })
    await t.rejects(log.open(), { code: 'PAWL_CHECKPOINT_UNSAFE' }, name)
  }
  const log = postgresCheckpoint({ query, name: freshName() })
  await log.open()
  t.equal(log.canLose, false)
  await log.close()
})

await t.test('a standby that nobody waits for may lag behind', async (t) => {
  const one = { replicas: 1, synchronous: 'one', commits: 'on' }
  const rows: [string, Record<string, unknown>, boolean][] = [
    ['there is none', { ...one, replicas: 0, synchronous: '' }, false],
    ['nobody is waited for', { ...one, synchronous: '' }, true],
    ['its disk is waited for', one, false],
    ['and its tables', { ...one, commits: 'remote_apply' }, false],
    ['its memory is waited for', { ...one, commits: 'remote_write' }, true],
    ['it is named, and not waited for', { ...one, commits: 'local' }, true],
  ]
  for (const [name, said, canLose] of rows) {
    const log = postgresCheckpoint({
      async query(text, values) {
        const { rows } = await pool.query<Record<string, unknown>>(text, values)
        const isAsked = text.includes('pg_is_in_recovery')
        return isAsked ? rows.map((row) => ({ ...row, ...said })) : rows
      },
      name: freshName(),
    })
    await log.open()
    t.equal(log.canLose, canLose, name)
    await log.close()
  }
  // It is away, and only its place in the server's log is kept for it.
  await pool.query(`SELECT pg_create_physical_replication_slot('away')`)
  const log = postgresCheckpoint({ query, name: freshName() })
  await log.open()
  t.equal(log.canLose, true, 'it is away')
  await log.close()
  await pool.query(`SELECT pg_drop_replication_slot('away')`)
})

await t.test('tables that are not there are named', async (t) => {
  const log = postgresCheckpoint({
    query: (text, values) =>
      pool.query(text.replaceAll('pawl_log', 'other_log'), values),
    name: 'a',
  })
  await t.rejects(log.open(), {
    code: 'PAWL_INVALID_OPTION',
    message: /postgresTables/,
  })
})

await t.test('a server that is gone for a moment is waited for', async (t) => {
  const mortal = await startPostgres(t)
  const connections = mortal.pool()
  await connections.query(postgresTables)
  const log = postgresCheckpoint({
    query: (text, values) => connections.query(text, values),
    name: 'a',
  })
  await appendThroughOutage(log, mortal)
  await log.close()
  t.equal(Buffer.from(await log.open()).toString(), 'onetwo')
  await log.remove()
})
