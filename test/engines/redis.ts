/** The log in Redis: its contract, what the server must promise, and what it loses. */
import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Checkpoint } from '../../lib/index.js'
import {
  redisCheckpoint,
  type RedisClient,
  type RedisCheckpointOptions,
} from '../../lib/lease/redis.js'
import {
  appendThroughOutage,
  freshName,
  keysOf,
  playLeasedContract,
  playLeases,
  redisSink,
} from './support/hold.js'
import { startRedis, type RedisServer } from './support/redis-server.js'

const server = await startRedis(t)
const redis = server.client()
const sink = redisSink(redis)

async function nodeRedis(t: Test, url: string): Promise<RedisClient> {
  const client = createClient({ url })
  client.on('error', () => undefined)
  await client.connect()
  t.teardown(() => client.destroy())
  return client
}

const clients: Record<string, (t: Test) => Promise<RedisClient>> = {
  ioredis: async () => server.client(),
  iovalkey: async (t) => {
    const client = new Valkey(server.port, '127.0.0.1')
    t.teardown(() => client.disconnect())
    return client
  },
  redis: (t) => nodeRedis(t, server.url),
}

for (const [name, connect] of Object.entries(clients)) {
  await t.test(`the contract, by a client of ${name}`, async (t) => {
    const client = await connect(t)
    const named = new Map<Checkpoint, string>()
    await playLeasedContract(t, {
      checkpoint: (log) => {
        const checkpoint = redisCheckpoint({ client, name: log })
        named.set(checkpoint, log)
        return checkpoint
      },
      kill: (checkpoint) => sink.endLease(named.get(checkpoint) ?? ''),
      setAside: async (name) => {
        const [, log = '', aside = ''] =
          /^the log (".*") in Redis, (.*)$/.exec(name) ?? []
        const key = `${keysOf(JSON.parse(log) as string).log}:${aside}`
        return (await redis.getBuffer(key)) ?? new Uint8Array()
      },
    })
  })
}

await t.test('its lease', (t) => playLeases(t, sink))

await t.test('nothing is left of a log that is removed or empty', async (t) => {
  const before = await redis.dbsize()
  for (const end of ['remove', 'close'] as const) {
    const log = redisCheckpoint({ client: redis, name: freshName() })
    await log.open()
    if (end === 'remove') await log.append(Buffer.from('one'))
    await log[end]()
  }
  t.equal(await redis.dbsize(), before)
})

await t.test('names that only look alike are not one', async (t) => {
  const all = ['a', 'a}', '{a', 'a:log', 'ä', '*', 'a b', '%7B']
  for (const name of all) {
    const log = redisCheckpoint({ client: redis, name })
    t.equal((await log.open()).length, 0, name)
    await log.append(Buffer.from(name))
    await log.close()
  }
  for (const name of all) {
    const log = redisCheckpoint({ client: redis, name })
    t.equal(Buffer.from(await log.open()).toString(), name)
    await log.remove()
  }
})

await t.test('keys of a log are in one slot of a cluster', async (t) => {
  const one = (await startRedis(t, { 'cluster-enabled': 'yes' })).client()
  const { log, hold } = keysOf('db}.dump{')
  const slots = await Promise.all(
    [log, hold, `${log}:damaged-1`].map((key) => one.cluster('KEYSLOT', key)),
  )
  t.equal(new Set(slots).size, 1)
})

await t.test('an append whose answer was lost is not made twice', async (t) => {
  const name = freshName()
  let isLost = true
  const client: RedisClient = {
    async callBuffer(command, args) {
      const reply = await redis.callBuffer(command, args)
      if (args.includes('three') || !isLost) return reply
      const isAppend = args.some(
        (word) => Buffer.isBuffer(word) && word.toString() === 'two',
      )
      if (!isAppend) return reply
      isLost = false
      throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    },
  }
  const log = redisCheckpoint({ client, name })
  await log.open()
  await log.append(Buffer.from('one'))
  await log.append(Buffer.from('two'))
  t.equal(isLost, false)
  t.equal(await redis.get(keysOf(name).log), 'onetwo')
  await log.remove()
})

await t.test('what a user may not do is said', async (t) => {
  await redis.acl(
    'SETUSER',
    'limited',
    'on',
    '>secret-word',
    '~*',
    '+@all',
    '-eval',
  )
  const client = new Redis(server.port, '127.0.0.1', {
    username: 'limited',
    password: 'secret-word',
  })
  t.teardown(() => client.disconnect())
  const log = redisCheckpoint({ client, name: freshName() })
  await t.rejects(log.open(), {
    code: 'PAWL_CHECKPOINT_IO',
    message: /NOPERM; this user may not run/,
    transient: false,
  })
})

await t.test(
  'without INFO and CONFIG it works, and promises less',
  async (t) => {
    await redis.acl(
      'SETUSER',
      'blind',
      'on',
      '>x',
      '~*',
      '+@all',
      '-info',
      '-config',
    )
    const client = new Redis(server.port, '127.0.0.1', {
      username: 'blind',
      password: 'x',
    })
    t.teardown(() => client.disconnect())
    const log = redisCheckpoint({ client, name: freshName() })
    await log.open()
    t.equal(log.canLose, true)
    await log.remove()
    const durable = redisCheckpoint({
      client,
      name: freshName(),
      durability: 'fsync',
    })
    await t.rejects(durable.open(), { code: 'PAWL_INVALID_OPTION' })
  },
)

await t.test('something else under its key is left alone', async (t) => {
  const name = freshName()
  await redis.lpush(keysOf(name).log, 'a list')
  const log = redisCheckpoint({ client: redis, name })
  await t.rejects(log.open(), { code: 'PAWL_NOT_A_CHECKPOINT' })
  t.equal(await redis.llen(keysOf(name).log), 1)
  t.equal(await redis.exists(keysOf(name).hold), 0)
})

/** Opens a log on a server with these settings. */
async function openOn(
  t: Test,
  settings: Record<string, string>,
  options: Partial<RedisCheckpointOptions>,
): Promise<{
  server: RedisServer
  log: Checkpoint
  opening: Promise<unknown>
}> {
  const server = await startRedis(t, settings)
  const client = server.client()
  const log = redisCheckpoint({ client, name: 'a', ...options })
  const opening = log.open()
  opening.catch(() => undefined)
  await opening.catch(() => undefined)
  return { server, log, opening }
}

await t.test('what the server must promise', async (t) => {
  const unsafe = { code: 'PAWL_CHECKPOINT_UNSAFE' }
  const option = { code: 'PAWL_INVALID_OPTION' }
  type Row = [
    string,
    Record<string, string>,
    Partial<RedisCheckpointOptions>,
    { code: string } | { canLose: boolean },
  ]
  const rows: Row[] = [
    [
      'any key may be dropped',
      { 'maxmemory-policy': 'allkeys-lru' },
      {},
      unsafe,
    ],
    [
      'keys with an end may be dropped, and a log has none',
      { 'maxmemory-policy': 'volatile-lru' },
      {},
      { canLose: true },
    ],
    ['synced with each write, not asked for', {}, {}, { canLose: true }],
    ['synced with each write', {}, { durability: 'fsync' }, { canLose: false }],
    ['no disk', { appendonly: 'no' }, { durability: 'fsync' }, option],
    [
      'synced each second, before WAITAOF',
      { appendfsync: 'everysec' },
      { durability: 'fsync' },
      option,
    ],
    [
      'not synced while it rewrites its file',
      { 'no-appendfsync-on-rewrite': 'yes' },
      { durability: 'fsync' },
      option,
    ],
    [
      'no replica',
      {},
      { durability: { replicas: 1 } },
      { code: 'PAWL_CHECKPOINT_IO' },
    ],
  ]
  for (const [name, settings, options, expected] of rows) {
    const { log, opening } = await openOn(t, settings, options)
    if ('code' in expected) await t.rejects(opening, expected, name)
    else {
      await opening
      t.equal(log.canLose, expected.canLose, name)
      await log.close()
    }
  }
})

await t.test(
  'a replica that is away may come back, and lag behind',
  async (t) => {
    const master = await startRedis(t)
    const replica = await startRedis(t, {
      replicaof: `127.0.0.1 ${master.port}`,
    })
    const client = master.client()
    const until = async (said: RegExp): Promise<void> => {
      while (!said.test(await client.info())) await delay(20)
    }
    await until(/connected_slaves:1\r?\n.*state=online/)
    await replica.kill()
    await until(/connected_slaves:0/)
    const log = redisCheckpoint({ client, name: 'a', durability: 'fsync' })
    await log.open()
    t.equal(log.canLose, true)
    await log.close()
  },
)

await t.test('replicas are waited for, and counted', async (t) => {
  const master = await startRedis(t)
  const replica = await startRedis(t, {
    replicaof: `127.0.0.1 ${master.port}`,
  })
  const client = master.client()
  for (;;) {
    if (/connected_slaves:1\r?\n.*state=online/.test(await client.info())) break
  }
  const log = redisCheckpoint({
    client,
    name: 'a',
    lease: 2000,
    durability: { replicas: 1 },
  })
  await log.open()
  t.equal(log.canLose, true, 'never called durable')
  await log.append(Buffer.from('one'))
  const copy = replica.client()
  t.equal(await copy.get(keysOf('a').log), 'one')
  // It stays connected, and answers no more.
  replica.signal('SIGSTOP')
  const failing = log.append(Buffer.from('two'))
  await t.rejects(failing, {
    code: 'PAWL_CHECKPOINT_IO',
    message: /0 replicas have what was written, expected 1/,
    transient: false,
  })
  replica.signal('SIGCONT')
  await t.rejects(
    log.append(Buffer.from('three')),
    { code: 'PAWL_CHECKPOINT_IO' },
    'a failed append is final',
  )
  await log.close()
})

await t.test('a wait on another connection is no wait', async (t) => {
  const master = await startRedis(t)
  const replica = await startRedis(t, { replicaof: `127.0.0.1 ${master.port}` })
  const [one, other] = [master.client(), master.client()]
  for (;;) {
    if (/connected_slaves:1\r?\n.*state=online/.test(await one.info())) break
  }
  let turn = 0
  const seen: string[] = []
  // A pool that gives each command another connection, for a while.
  const client: RedisClient = {
    callBuffer(command, args) {
      seen.push(command)
      const which = command !== 'CLIENT' || turn++ > 3 ? one : other
      return which.callBuffer(command, args)
    },
  }
  const log = redisCheckpoint({
    client,
    name: 'a',
    durability: { replicas: 1 },
  })
  await log.open()
  let isOdd = false
  const alternating: RedisClient = {
    callBuffer: (command, args) => {
      isOdd = command === 'CLIENT' ? !isOdd : isOdd
      return (isOdd ? one : other).callBuffer(command, args)
    },
  }
  await log.append(Buffer.from('one'))
  t.equal(await replica.client().get(keysOf('a').log), 'one')
  await log.close()
  const never = redisCheckpoint({
    client: alternating,
    name: 'a',
    lease: 1000,
    durability: { replicas: 1 },
  })
  await never.open()
  await t.rejects(never.append(Buffer.from('two')), {
    code: 'PAWL_CHECKPOINT_IO',
    message: /another one each time/,
  })
  await never.close()
})

await t.test('a server that is gone for a moment is waited for', async (t) => {
  const mortal = await startRedis(t)
  const client = mortal.client()
  const log = redisCheckpoint({
    client,
    name: 'a',
    lease: 30_000,
    durability: 'fsync',
  })
  await appendThroughOutage(log, mortal)
  t.equal(await client.get(keysOf('a').log), 'onetwo')
  await log.remove()
})

await t.test(
  'a server that stays away ends the run, which may repeat',
  async (t) => {
    const mortal = await startRedis(t)
    const log = redisCheckpoint({
      client: mortal.client(),
      name: 'a',
      lease: 1000,
    })
    await log.open()
    await mortal.kill()
    await t.rejects(log.append(Buffer.from('one')), {
      code: 'PAWL_CHECKPOINT_IO',
      transient: true,
    })
    await log.close()
  },
)
