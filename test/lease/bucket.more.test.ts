/** The log in a bucket: its contract, its end, and stores that it refuses. */
import t from 'tap'
import { realEnvironment } from '../../lib/environment.js'
import { StoreError, type ObjectStore } from '../../lib/index.js'
import { bucketCheckpoint } from '../../lib/lease/bucket.js'
import { checkpointContract } from '../../lib/testing/index.js'
import { BucketLogs } from '../support/bucket-log.js'
import { besideEachOther } from '../support/beside.js'
import { devStore } from '../support/dev-store.js'
import { wrapStore } from '../support/small-store.js'

const test = besideEachOther(t)
const dev = await devStore(t)
const logs = new BucketLogs(dev.store)
const text = (of: string) => Buffer.from(of)

const subject = {
  checkpoint: (log: string) => logs.log(log),
  kill: (checkpoint: Parameters<BucketLogs['endLease']>[0]) =>
    logs.endLease(checkpoint),
}
for (const { name, run } of checkpointContract(subject)) test(name, run)

test('a log that is over leaves its end, and the next begins behind it', async (t) => {
  const key = 'ends'
  for (const [round, expected] of [
    ['one', ['1 moved 4', '4 removed']],
    ['two', ['1 moved 4', '4 removed', '5 moved 8', '8 removed']],
  ] as const) {
    const log = logs.log(key)
    t.equal((await log.open()).length, 0)
    await log.append(text(round))
    await log.append(text(round))
    t.equal(await log.remove(), true)
    t.same(await logs.segments(log), expected)
  }
  // Without what says where the last one ended, they are followed.
  const log = logs.log(key)
  await log.open()
  t.same((await logs.segments(log)).at(-1), '9 held')
  await log.close()
})

test('a log whose removal was cut off is over all the same', async (t) => {
  const rows: [string, number[]][] = [
    ['right behind its end', []],
    ['in the middle', [2]],
  ]
  for (const [name, gone] of rows) {
    const key = `cut off ${name}`
    const writes: string[] = []
    const dying: ObjectStore = {
      ...wrapStore(dev.store),

      putObject: async (...args: Parameters<ObjectStore['putObject']>) => {
        const [{ key, object }] = args
        const isMoved = object.forbidOverwrite !== true && /\d{9}$/.test(key)
        if (isMoved && gone.length === 0) {
          writes.push(key)
          throw new Error('killed')
        }
        return dev.store.putObject(...args)
      },
      deleteObject: async () => {
        throw new Error('killed')
      },
    }
    const first = new BucketLogs(dying).log(key, { unproven: true })
    await first.open()
    await first.append(text('one'))
    await first.remove()
    for (const number of gone) await logs.remove(logs.log(key), number)
    await logs.endLease(logs.log(key)).catch(() => undefined)
    const next = logs.log(key)
    t.equal((await next.open()).length, 0, name)
    await next.append(text('two'))
    await next.close()
    t.equal(Buffer.from(await next.open()).toString(), 'two', name)
    t.equal(await next.remove(), true, name)
    const last = logs.log(key)
    t.equal((await last.open()).length, 0, name)
    await last.close()
  }
})

for (const [how, passed] of [
  ['was stopped', { monotonic: 60_000, now: 0 }],
  ['was suspended', { monotonic: 0, now: 60_000 }],
] as const) {
  test(`a writer that ${how} and wakes after the end cannot go on`, async (t) => {
    const clock = { monotonic: 0, now: 0 }
    const environment = {
      now: () => clock.now,
      monotonic: () => clock.monotonic,
      idle: () => clock.monotonic,
      timer: () => ({ cancel: () => undefined }),
      soon: (work: () => void) => void setImmediate(work),
      random: () => 0,
      id: () => 'a'.repeat(32),
    }
    const key = `woken, ${how}`
    const slow = bucketCheckpoint({ store: dev.store, key }, environment)
    await slow.open()
    await slow.append(text('one'))
    const named = logs.log(key)
    await logs.endLease(named)
    const next = logs.log(key)
    await next.open()
    await next.append(text('two'))
    await next.append(text('three'))
    t.equal(await next.remove(), true)
    // Its own next segment is gone: that there is none must not let it in.
    Object.assign(clock, passed)
    for (const call of [
      () => slow.confirm?.() ?? Promise.resolve(),
      () => slow.append(text('late')),
    ]) {
      await t.rejects(call(), { code: 'PAWL_CHECKPOINT_LOST' })
    }
    t.equal(await slow.remove(), false)
    t.same(await logs.segments(named), ['1 moved 6', '6 removed'])
  })
}

test('an append whose answer was lost is not made twice', async (t) => {
  let lost = 0
  const losing: ObjectStore = {
    ...wrapStore(dev.store),
    putObject: async (...args: Parameters<ObjectStore['putObject']>) => {
      const receipt = await dev.store.putObject(...args)
      if (args[0].object.forbidOverwrite === true && lost++ === 1) {
        throw new StoreError('reset', { kind: 'network' })
      }
      return receipt
    },
  }
  const log = new BucketLogs(losing).log('lost', { unproven: true })
  await log.open()
  await log.append(text('one'))
  await log.append(text('two'))
  t.equal(lost, 3, 'three segments, none of them twice')
  await log.close()
  t.equal(Buffer.from(await log.open()).toString(), 'onetwo')
  await log.close()
})

test('a lease is renewed beside an append, and beside the removal', async (t) => {
  const clock = { now: 0 }
  let ring = (): void => undefined
  const environment = {
    ...realEnvironment,
    monotonic: () => clock.now,
    timer: (_ms: number, wake: () => void) => {
      ring = wake
      return { cancel: () => undefined }
    },
  }
  let renewed = Promise.resolve()
  /** Resolves once the renewal has said that it is there, or has given up. */
  let hasBeaten = (): void => undefined
  const store: ObjectStore = {
    ...wrapStore(dev.store),
    putObject: async (request, call) => {
      const receipt = await dev.store.putObject(request, call)
      if (request.key.endsWith('/hold')) hasBeaten()
      if (request.object.forbidOverwrite === true) {
        await renewed
      }
      return receipt
    },
  }
  const log = bucketCheckpoint(
    { store, key: 'beside', unproven: true },
    environment,
  )
  await log.open()
  const { lost } = log
  clock.now += 14_000
  renewed = new Promise((resolve) => {
    hasBeaten = resolve
    lost?.addEventListener('abort', () => resolve())
  })
  const appending = log.append(text('one'))
  ring()
  await appending
  t.equal(lost?.aborted, false, 'nobody has taken it')
  clock.now += 14_000
  renewed = Promise.resolve()
  const removing = log.remove()
  ring()
  t.equal(await removing, true)
  t.equal(lost?.aborted, false)
})

test('many segments are read', async (t) => {
  const log = logs.log('many')
  await log.open()
  const expected = Array.from({ length: 70 }, (_, n) => `${n},`)
  for (const one of expected) await log.append(text(one))
  await log.close()
  const again = logs.log('many')
  t.equal(Buffer.from(await again.open()).toString(), expected.join(''))
  t.equal(await again.remove(), true)
  const last = await logs.segments(again, 80)
  t.same(last, ['1 moved 73', '73 removed'])
})

test('other keys and other sources have other logs', async (t) => {
  const all = [
    logs.log('a'),
    logs.log('b'),
    logs.log('a', { sourceId: 'v1' }),
    logs.log('a', { prefix: 'logs/' }),
  ]
  t.equal(new Set(all.map(({ name }) => name)).size, all.length)
})

test('something else under its keys is left alone', async (t) => {
  const log = logs.log('foreign')
  const [, folder = ''] = /the log (\S+) in/.exec(log.name) ?? []
  await logs.write(`${folder}/000000001`, text('holiday photographs'))
  await t.rejects(log.open(), { code: 'PAWL_NOT_A_CHECKPOINT' })
  const kept = await logs.read(`${folder}/000000001`)
  t.equal(Buffer.from(kept).toString(), 'holiday photographs')
})

/** The same store, whose PutObject does something else with the condition. */
function withPut(putObject: ObjectStore['putObject']): ObjectStore {
  return { ...wrapStore(dev.store), putObject }
}

test('a store that makes an object twice is refused', async (t) => {
  const unconditional: ObjectStore['putObject'] = (request, call) =>
    dev.store.putObject({ ...request, object: {} }, call)
  const rows: [string, ObjectStore['putObject']][] = [
    ['it ignores the condition', unconditional],
    [
      'it looks first, and writes then',
      async (request, call) => {
        const { object, key } = request
        const there = await dev.store.headObject(key, call)
        if (object.forbidOverwrite === true && there !== undefined) {
          throw new StoreError('exists', { kind: 'exists', status: 412 })
        }
        return unconditional(request, call)
      },
    ],
    [
      'it does not know it',
      async (request, call) => {
        if (request.object.forbidOverwrite !== true) {
          return unconditional(request, call)
        }
        throw new StoreError('NotImplemented', {
          kind: 'unsupported',
          status: 501,
        })
      },
    ],
  ]
  for (const [name, putObject] of rows) {
    const log = new BucketLogs(withPut(putObject)).log('proof')
    await t.rejects(
      log.open(),
      { code: 'PAWL_LOCK_UNSUPPORTED', transient: false },
      name,
    )
  }
  const denied = withPut(async () => {
    throw new StoreError('Denied', { kind: 'denied', status: 403 })
  })
  await t.rejects(
    new BucketLogs(denied).log('proof').open(),
    { code: 'PAWL_CHECKPOINT_IO' },
    'what may not be written proves nothing',
  )
})
