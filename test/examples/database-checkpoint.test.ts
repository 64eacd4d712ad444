import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import {
  createResumableUploadStream,
  type Checkpoint,
} from '../../lib/index.js'
import { checkpointContract } from '../../lib/testing/index.js'
import type { LogTable } from '../../docs/examples/database-checkpoint.js'
import { noise } from '../support/dev-store.js'
import { exampleRunner, key, numbers, part } from '../support/example-runner.js'
import { chunksOf } from '../support/small-upload.js'

const { databaseCheckpoint } =
  await import('../../docs/examples/database-checkpoint.js')

const bytes = noise(5 * part)

/** A database that many connections share; a connection's locks end with it. */
class Database {
  readonly rows = new Map<string, Uint8Array>()
  readonly locks = new Map<string, object>()
  failing: string | undefined

  connect(): LogTable & { end(): void } {
    const connection = {}
    const work = async <T>(name: string, run: () => T): Promise<T> => {
      if (this.failing === name) throw new Error('the database is gone')
      return run()
    }
    const of = (log: string) =>
      [...this.rows].filter(([id]) => id.startsWith(`${log}\0`))
    return {
      tryLock: (log) =>
        work('tryLock', () => {
          if (this.locks.has(log)) return undefined
          this.locks.set(log, connection)
          return async () => void this.locks.delete(log)
        }),
      read: (log) => work('read', () => of(log).map(([, row]) => row)),
      insert: (log, number, row) =>
        work('insert', () => {
          const id = `${log}\0${number}`
          if (this.rows.has(id)) throw new Error('duplicate key')
          this.rows.set(id, Uint8Array.from(row))
        }),
      rename: (log, to) =>
        work('rename', () => {
          for (const [id, row] of of(log)) {
            this.rows.delete(id)
            this.rows.set(
              id.replace(log, () => to),
              row,
            )
          }
        }),
      delete: (log) =>
        work('delete', () => {
          for (const [id] of of(log)) this.rows.delete(id)
        }),
      end: () => {
        for (const [log, holder] of this.locks) {
          if (holder === connection) this.locks.delete(log)
        }
      },
    }
  }
}

await t.test('an upload goes on from a log in a database', async (t) => {
  const run = await exampleRunner(t)
  const database = new Database()
  const upload = (checkpoint: Checkpoint) =>
    createResumableUploadStream(run.options({ checkpoint, concurrency: 1 }))
  const first = upload(databaseCheckpoint(database.connect(), 'job 1'))
  let stored = 0
  first.on('part', () => {
    if (++stored === 3) first.destroy()
  })
  await t.rejects(pipeline(Readable.from(chunksOf(bytes)), first))
  await first.result.catch(() => undefined)
  t.ok(database.rows.size > 0)
  const since = run.server.requests.length
  const second = upload(databaseCheckpoint(database.connect(), 'job 1'))
  await pipeline(Readable.from(chunksOf(bytes)), second)
  t.match(await second.result, { partsReused: 3, checkpointLeft: false })
  t.same(run.sentSince(since), numbers(4, 5))
  t.ok(bytes.equals(await run.object(key)))
  t.equal(database.rows.size, 0, 'the log is removed')
  t.equal(database.locks.size, 0)
})

await t.test('the log keeps the contract', async (t) => {
  const database = new Database()
  const connections = new Map<Checkpoint, { end(): void }>()
  const cases = checkpointContract({
    checkpoint(name) {
      const connection = database.connect()
      const log = databaseCheckpoint(connection, name)
      connections.set(log, connection)
      return log
    },
    setAside: (name) =>
      Buffer.concat(
        [...database.rows].flatMap(([id, row]) =>
          id.startsWith(`${name}\0`) ? [row] : [],
        ),
      ),
    kill: (log) => connections.get(log)?.end(),
  })
  for (const { name, run } of cases) await t.test(name, run)
})

await t.test('a run that lost its lock cannot write any more', async (t) => {
  const database = new Database()
  const connection = database.connect()
  const lost = databaseCheckpoint(connection, 'a')
  await lost.open()
  await lost.append(Buffer.from('one'))
  connection.end()
  const next = databaseCheckpoint(database.connect(), 'a')
  await next.open()
  await next.append(Buffer.from('two'))
  await t.rejects(lost.append(Buffer.from('not this')), {
    code: 'PAWL_CHECKPOINT_IO',
    cause: { message: 'duplicate key' },
  })
  await next.close()
  t.equal(Buffer.from(await next.open()).toString(), 'onetwo')
})

const failures = [
  { call: 'read', act: (log: Checkpoint) => log.open() },
  { call: 'insert', act: opened((log) => log.append(Buffer.from('x'))) },
  { call: 'rename', act: opened((log) => log.setAside()) },
]

function opened(act: (log: Checkpoint) => Promise<unknown>) {
  return async (log: Checkpoint): Promise<unknown> => {
    await log.open()
    return act(log)
  }
}

for (const { call, act } of failures) {
  await t.test(`a database that fails ${call}`, async (t) => {
    const database = new Database()
    database.failing = call
    const log = databaseCheckpoint(database.connect(), 'a')
    await t.rejects(act(log), {
      code: 'PAWL_CHECKPOINT_IO',
      cause: { message: 'the database is gone' },
    })
    await log.close()
    t.equal(database.locks.size, 0)
  })
}

await t.test('a log that cannot be deleted is left', async (t) => {
  const database = new Database()
  database.failing = 'delete'
  const log = databaseCheckpoint(database.connect(), 'a')
  await log.open()
  t.equal(await log.remove(), false)
  t.equal(database.locks.size, 0)
})
