/** Redis on loopback: one server, or one with replicas and sentinels. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { temporaryDirectory } from '../../support/dev-store.js'
import { freePort, startEngine, type Engine } from './engine.js'

export interface RedisServer extends Engine {
  readonly url: string
  /** A connection that ends with the test. */
  client(): Redis
}

/** `settings` are words of redis.conf, such as `{ appendfsync: 'always' }`. */
export async function startRedis(
  t: Test,
  settings: Record<string, string> = {},
): Promise<RedisServer> {
  const directory = await temporaryDirectory(t)
  const port = await freePort()
  const logFile = join(directory, 'redis.log')
  const words: Record<string, string> = {
    port: String(port),
    bind: '127.0.0.1',
    dir: directory,
    logfile: logFile,
    save: '""',
    appendonly: 'yes',
    appendfsync: 'always',
    daemonize: 'no',
    ...settings,
  }
  const file = join(directory, 'redis.conf')
  await writeFile(file, linesOf(words))
  const ask = async (): Promise<void> => {
    const client = new Redis({
      host: '127.0.0.1',
      port,
      lazyConnect: true,
      retryStrategy: () => null,
    })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.ping()
    } finally {
      client.disconnect()
    }
  }
  const engine = await startEngine(t, {
    command: 'redis-server',
    args: [file],
    port,
    ask,
    logFile,
  })
  return Object.assign(Object.create(engine) as Engine, {
    url: `redis://127.0.0.1:${port}`,
    client() {
      const client = new Redis(port, '127.0.0.1')
      client.on('error', () => undefined)
      t.teardown(() => client.disconnect())
      return client
    },
  })
}

/** A sentinel that watches `master`, alone, and moves it after a second. */
export async function startSentinel(
  t: Test,
  name: string,
  master: number,
): Promise<Engine> {
  const directory = await temporaryDirectory(t)
  await mkdir(directory, { recursive: true })
  const port = await freePort()
  const file = join(directory, 'sentinel.conf')
  await writeFile(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${directory}`,
      `sentinel monitor ${name} 127.0.0.1 ${master} 1`,
      `sentinel down-after-milliseconds ${name} 1000`,
      `sentinel failover-timeout ${name} 5000`,
      '',
    ].join('\n'),
  )
  return startEngine(t, { command: 'redis-sentinel', args: [file], port })
}

function linesOf(words: Record<string, string>): string {
  const lines = Object.entries(words).map(([name, value]) => `${name} ${value}`)
  return `${lines.join('\n')}\n`
}
