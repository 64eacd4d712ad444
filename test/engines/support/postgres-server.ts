/** PostgreSQL on loopback, in a directory of its own; not as root, which it refuses. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, readdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { Test } from 'tap'
import { answering, freePort, startEngine, type Engine } from './engine.js'

export interface PostgresServer extends Engine {
  readonly url: string
  /** Connections that end with the test. */
  pool(): pg.Pool
}

/** `settings` are those of postgresql.conf, such as `{ fsync: 'off' }`. */
export async function startPostgres(
  t: Test,
  settings: Record<string, string> = {},
): Promise<PostgresServer> {
  const directory = await mkdtemp(join(tmpdir(), 'pawl-postgres-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const owner = ownerOf()
  if (owner !== undefined) chownSync(directory, owner.uid, owner.gid)
  const data = join(directory, 'data')
  const bin = binaries()
  const options = { cwd: directory, ...owner }
  const words = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8']
  const made = spawnSync(join(bin, 'initdb'), [...words, '--no-sync'], options)
  if (made.status !== 0) throw new Error(`initdb: ${String(made.stderr)}`)
  const port = await freePort()
  const logFile = join(directory, 'postgres.log')
  const all: Record<string, string> = {
    listen_addresses: "'127.0.0.1'",
    port: String(port),
    unix_socket_directories: "''",
    logging_collector: 'off',
    ...settings,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`)
  writeFileSync(join(data, 'postgresql.auto.conf'), `${lines.join('\n')}\n`)
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const ask = async (): Promise<void> => {
    const client = new pg.Client(url)
    client.on('error', () => undefined)
    await client.connect()
    await client.query('SELECT 1')
    await client.end()
  }
  const engine = await startEngine(t, {
    command: join(bin, 'postgres'),
    args: ['-D', data],
    port,
    options,
    ask,
    logFile,
  })
  return Object.assign(Object.create(engine) as Engine, {
    url,
    async kill() {
      await engine.kill()
      // Its children notice within a moment; until then it does not start again.
      await answering(() => noneOf(port))
    },
    async restart() {
      // Those children may hold its memory for a moment longer.
      await answering(() => engine.restart())
    },
    pool() {
      const pool = new pg.Pool({ connectionString: url, max: 4 })
      pool.on('error', () => undefined)
      t.teardown(() => pool.end())
      return pool
    },
  })
}

async function noneOf(port: number): Promise<void> {
  const client = new pg.Client(`postgres://postgres@127.0.0.1:${port}/postgres`)
  client.on('error', () => undefined)
  const isThere = await client.connect().then(
    () => true,
    () => false,
  )
  await client.end().catch(() => undefined)
  if (isThere) throw new Error('it still answers')
}

/** Undefined where this process is not root, and is the owner itself. */
function ownerOf(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, 'postgres']).toString())
  return { uid: id('-u'), gid: id('-g') }
}

/** Where Debian puts the newest version's own programs. */
function binaries(): string {
  const versions = readdirSync('/usr/lib/postgresql')
    .map(Number)
    .toSorted((a, b) => b - a)
  const [newest] = versions
  if (newest === undefined) throw new Error('there is no PostgreSQL')
  return `/usr/lib/postgresql/${newest}/bin`
}
