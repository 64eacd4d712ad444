/** The model of an engine, under the real leased checkpoint. */
import t from 'tap'
import { Decisions, type Decision } from '../decisions.js'
import { DiskModel } from '../disk/model.js'
import { Process } from '../process.js'
import { Random } from '../random.js'
import { SourceDisk } from '../source-disk.js'
import { World } from '../world.js'
import { EngineModel } from './model.js'

const [first, second] = [Buffer.from('first\n'), Buffer.from('second\n')]
const lease = 30_000

function setUp(decisions: readonly Decision[] = [], canLose = true) {
  const world = new World(Decisions.fromList(decisions, []))
  const none = { most: 0, likely: 0 }
  const names = new Map<Process, number>()
  const around = {
    world,
    diskBudget: none,
    engineBudget: none,
    lean: <T>(rows: readonly T[]) => rows,
    moment: () => undefined,
    actorOf: (process: Process) => {
      const run = names.get(process) ?? 0
      return { name: `run ${run}`, run }
    },
  }
  const engine = new EngineModel(around, { lease, canLose, linger: 0 })
  const open = async (run: number) => {
    const disk = new DiskModel('machine', around)
    const sources = new SourceDisk(world)
    const machine = { name: 'machine', disk, logs: engine, sources }
    const random = new Random(run)
    const process = new Process(`run ${run}`, machine, { world, random })
    names.set(process, run)
    const log = engine.checkpointFor(process)
    return { log, process, bytes: await until(log.open()) }
  }
  const until = <T>(work: Promise<T>) => world.until(work)
  const pass = (ms: number) => world.play(world.sleep(ms), () => false)
  return { engine, open, until, pass }
}

await t.test(
  'a log is given to the next run when its lease ends',
  async (t) => {
    const { engine, open, until, pass } = setUp()
    const one = await open(1)
    await until(one.log.append(first))
    await t.rejects(open(2), { code: 'PAWL_CHECKPOINT_LOCKED' })
    await pass(2 * lease)
    await t.rejects(
      open(3),
      { code: 'PAWL_CHECKPOINT_LOCKED' },
      'it is renewed',
    )
    one.process.kill(() => undefined, 0)
    await pass(lease)
    const four = await open(4)
    t.same(four.bytes, first)
    t.ok(engine.isOlder(1, 4))
    t.same(engine.breaches, [])
  },
)

await t.test('a holder from whom it was taken is refused', async (t) => {
  const { engine, open, until, pass } = setUp()
  const one = await open(1)
  await until(one.log.append(first))
  one.process.pausedUntil = 3 * lease
  await pass(2 * lease)
  const two = await open(2)
  await until(two.log.append(second))
  const failure = { code: 'PAWL_CHECKPOINT_LOST' }
  await t.rejects(until(one.log.append(first)), failure)
  t.same(engine.read(''), Buffer.concat([first, second]))
  t.notOk(engine.isNewest(1))
})

await t.test('a failover that loses the end is noticed', async (t) => {
  const { engine, open, until } = setUp()
  const one = await open(1)
  await until(one.log.append(first))
  await until(one.log.append(second))
  t.ok(engine.failOver(new Random(1)))
  t.not(engine.read('')?.length, first.length + second.length)
  const failure = { code: 'PAWL_CHECKPOINT_LOST' }
  await t.rejects(until(one.log.append(first)), failure)
  t.notOk(setUp([], false).engine.failOver(new Random(1)))
})

await t.test('a step goes wrong in its own way, and is repeated', async (t) => {
  for (const does of [
    'engine-lost-request',
    'engine-lost-reply',
    'engine-silent',
    'engine-late',
    'engine-twice',
    'engine-away',
  ]) {
    const at = 'run 1:log append|engine'
    const { engine, open, until } = setUp([{ at, nth: 1, does, detail: 7 }])
    const one = await open(1)
    await until(one.log.append(first))
    await until(one.log.append(second))
    t.same(engine.read(''), Buffer.concat([first, second]), does)
  }
})
