/** The model of a disk, under the real file checkpoint. */
import t from 'tap'
import { FileCheckpoint } from '../../../lib/checkpoint/file-checkpoint.js'
import { Decisions, type Decision } from '../decisions.js'
import { Process } from '../process.js'
import { Random } from '../random.js'
import { SourceDisk } from '../source-disk.js'
import { World } from '../world.js'
import { DiskModel } from './model.js'

const path = '/logs/log.pawl'
const [first, second] = [Buffer.from('first\n'), Buffer.from('second\n')]

function setUp(decisions: readonly Decision[] = []) {
  const world = new World(Decisions.fromList(decisions, []))
  const disk = new DiskModel('machine', {
    world,
    diskBudget: { most: 0, likely: 0 },
    lean: (rows) => rows,
    moment: () => undefined,
  })
  const sources = new SourceDisk(world)
  const machine = { name: 'machine', disk, logs: disk, sources }
  const newProcess = (label: string) =>
    new Process(label, machine, { world, random: new Random(1) })
  const open = (process: Process) => {
    const { logFiles, locker } = process.environment
    return new FileCheckpoint(path, locker, logFiles)
  }
  const until = <T>(work: Promise<T>) => world.until(work)
  return { world, disk, newProcess, open, until }
}

/** One write that has been synced, another that has not. */
async function halfSynced() {
  const scene = setUp([
    { at: 'run 1:datasync|disk', nth: 2, does: 'hanging-disk', detail: 1 },
  ])
  const process = scene.newProcess('run 1')
  const log = scene.open(process)
  await scene.until(log.open())
  await scene.until(log.append(first))
  void log.append(second)
  await scene.world.play(scene.world.sleep(1000), () => false)
  return { ...scene, process }
}

await t.test('a log outlives its process', async (t) => {
  const { disk, process, newProcess, open, until } = await halfSynced()
  t.ok(disk.isLocked(path))
  process.kill(() => undefined, 0)
  t.notOk(disk.isLocked(path), 'its lock does not')
  const log = open(newProcess('run 2'))
  t.same(await until(log.open()), Buffer.concat([first, second]))
})

await t.test('what is not synced is lost, torn, zeroes or there', async (t) => {
  const ends = new Set<string>()
  for (let seed = 0; seed < 60; seed++) {
    const { disk, process } = await halfSynced()
    process.kill(() => undefined, 0)
    disk.losePower(new Random(seed))
    const left = disk.read(path)
    if (left === undefined) throw new Error('what was synced is gone')
    t.same(left.subarray(0, first.length), first, 'what was synced is there')
    const end = left.subarray(first.length)
    const isPart = end.equals(second.subarray(0, end.length))
    if (end.length === 0) ends.add('lost')
    else if (end.every((byte) => byte === 0)) ends.add('zeroes')
    else if (isPart) ends.add(end.length < second.length ? 'torn' : 'there')
    else t.fail(`something else is there: ${end.toString()}`)
  }
  t.same([...ends].toSorted(), ['lost', 'there', 'torn', 'zeroes'])
})

await t.test('a name that was not synced may be lost', async (t) => {
  const found = new Set<boolean>()
  for (let seed = 0; seed < 30; seed++) {
    const { world, disk, newProcess, open, until } = setUp([
      {
        at: 'run 1:syncDirectory|disk',
        nth: 1,
        does: 'hanging-disk',
        detail: 1,
      },
    ])
    const log = open(newProcess('run 1'))
    await until(log.open())
    void log.append(first)
    await world.play(world.sleep(1000), () => false)
    disk.losePower(new Random(seed))
    found.add(disk.read(path) !== undefined)
  }
  t.same(found, new Set([true, false]))
})

await t.test('a removed log may come back', async (t) => {
  const found = new Set<boolean>()
  for (let seed = 0; seed < 30; seed++) {
    const { world, disk, newProcess, open, until } = setUp([
      {
        at: 'run 1:syncDirectory|disk',
        nth: 2,
        does: 'hanging-disk',
        detail: 1,
      },
    ])
    const log = open(newProcess('run 1'))
    await until(log.open())
    await until(log.append(first))
    void log.remove()
    await world.play(world.sleep(1000), () => false)
    t.equal(disk.read(path), undefined)
    disk.losePower(new Random(seed))
    found.add(disk.read(path) !== undefined)
  }
  t.same(found, new Set([true, false]))
})

await t.test('what was emptied may be there again, or be new', async (t) => {
  const ends = new Set<string>()
  for (let seed = 0; seed < 40; seed++) {
    const { world, disk, newProcess, open, until } = setUp([
      { at: 'run 1:datasync|disk', nth: 2, does: 'hanging-disk', detail: 1 },
    ])
    const log = open(newProcess('run 1'))
    await until(log.open())
    await until(log.append(first))
    await until(log.empty())
    t.same(disk.read(path), Buffer.alloc(0))
    void log.append(second)
    await world.play(world.sleep(1000), () => false)
    disk.losePower(new Random(seed))
    const left = disk.read(path) ?? Buffer.alloc(0)
    if (left.equals(first)) ends.add('old')
    else if (left.equals(second)) ends.add('new')
    else if (left.length === 0) ends.add('empty')
    else if (left.every((byte) => byte === 0)) ends.add('zeroes')
    else if (left.equals(second.subarray(0, left.length))) ends.add('torn')
    else t.fail(`something else is there: ${left.toString()}`)
  }
  const all = ['empty', 'new', 'old', 'torn', 'zeroes']
  t.same([...ends].toSorted(), all)
})

await t.test('a second process finds the log locked', async (t) => {
  const { newProcess, open, until } = setUp()
  const log = open(newProcess('run 1'))
  await until(log.open())
  const second = open(newProcess('run 2'))
  await t.rejects(until(second.open()), { code: 'PAWL_CHECKPOINT_LOCKED' })
  await until(log.close())
  t.same(await until(second.open()), Buffer.alloc(0))
})

await t.test('a call fails in its own way', async (t) => {
  for (const [does, why] of [
    ['disk-full', 'ENOSPC'],
    ['disk-error', 'EIO'],
    ['short-write', 'only 3 of 6 bytes'],
  ] as const) {
    const decision = { at: 'run 1:write|disk', nth: 1, does, detail: 1 }
    const { newProcess, open, until } = setUp([decision])
    const log = open(newProcess('run 1'))
    await until(log.open())
    const failure = { code: 'PAWL_CHECKPOINT_IO', message: new RegExp(why) }
    await t.rejects(until(log.append(first)), failure, does)
  }
})

await t.test('who writes without the lock is seen', async (t) => {
  const { disk, newProcess, until } = setUp()
  const { logFiles } = newProcess('run 1').environment
  const handle = await until(logFiles.open(path, 'new'))
  await until(handle.write(first))
  t.match(disk.breaches, [/without its lock/])
})

await t.test('so is who unlinks without it', async (t) => {
  const { disk, newProcess, open, until } = setUp()
  const log = open(newProcess('run 1'))
  await until(log.open())
  await until(log.append(first))
  const { logFiles } = newProcess('run 2').environment
  await until(logFiles.unlink(path))
  t.match(disk.breaches, [/unlinks .* without its lock/])
  t.same(disk.takenLate, [])
})

await t.test(
  'a call that hangs keeps the lock until it has settled',
  async (t) => {
    const cases: [
      call: string,
      nth: number,
      begin: (log: FileCheckpoint) => Promise<unknown>,
    ][] = [
      ['write', 2, (log) => log.append(second)],
      ['datasync', 2, (log) => log.append(second)],
      ['truncate', 1, (log) => log.empty()],
      ['link', 1, (log) => log.setAside()],
      ['unlink', 1, (log) => log.setAside()],
      ['unlink', 1, (log) => log.remove()],
      ['syncDirectory', 2, (log) => log.remove()],
    ]
    for (const [call, nth, begin] of cases) {
      const { world, disk, newProcess, open, until } = setUp([
        { at: `run 1:${call}|disk`, nth, does: 'slow-disk', detail: 1 },
      ])
      const log = open(newProcess('run 1'))
      await until(log.open())
      await until(log.append(first))
      const work = begin(log)
      await world.play(world.sleep(400), () => false)
      const closed = log.close()
      await world.play(world.sleep(400), () => false)
      const isThere = disk.read(path) !== undefined
      const next = open(newProcess('run 2'))
      if (isThere) {
        await t.rejects(
          until(next.open()),
          { code: 'PAWL_CHECKPOINT_LOCKED' },
          call,
        )
      }
      await until(Promise.allSettled([work, closed]))
      await until(next.open())
      await until(next.append(second))
      await world.play(world.sleep(400_000), () => false)
      t.match(disk.read(path)?.toString(), /second\n$/, call)
      t.same(disk.breaches, [], call)
      t.same(disk.takenLate, [], call)
    }
  },
)

await t.test(
  'an unlink that hangs takes what has the name by then',
  async (t) => {
    const { world, disk, newProcess, open, until } = setUp([
      { at: 'run 1:unlink|disk', nth: 1, does: 'slow-disk', detail: 1 },
    ])
    const log = open(newProcess('run 1'))
    await until(log.open())
    await until(log.append(first))
    const removed = log.remove()
    await world.play(world.sleep(500), () => false)
    const second = open(newProcess('run 2'))
    await t.rejects(until(second.open()), { code: 'PAWL_CHECKPOINT_LOCKED' })
    const other = Buffer.from('another\n')
    disk.take(path)
    disk.put(path, other)
    t.equal(await until(removed), true)
    t.equal(disk.read(path), undefined)
    t.same(disk.takenLate, [other])
    t.same(disk.breaches, [])
  },
)
