import t from 'tap'
import { Slots } from '../../../lib/upload/calls/send.js'

/** Resolves to whether a slot was given at once. */
async function isFree(slots: Slots): Promise<boolean> {
  let given = false
  void slots.acquire().then(() => {
    given = true
  })
  await Promise.resolve()
  return given
}

await t.test('as many at once as it says, in order', async (t) => {
  const slots = new Slots(2)
  await slots.acquire()
  await slots.acquire()
  const order: number[] = []
  const waiting = [1, 2, 3].map(async (number) => {
    await slots.acquire()
    order.push(number)
  })
  t.same(order, [])
  slots.release()
  await waiting[0]
  t.same(order, [1])
  slots.release()
  slots.release()
  await Promise.all(waiting)
  t.same(order, [1, 2, 3])
})

await t.test('a server that throttles halves them, down to one', async (t) => {
  const slots = new Slots(8)
  const limits: number[] = []
  for (let count = 0; count < 5; count++) {
    slots.throttle()
    limits.push(slots.limit)
  }
  t.same(limits, [4, 2, 1, 1, 1])
})

await t.test(
  'what is given out beyond the limit is not given on',
  async (t) => {
    const slots = new Slots(4)
    for (let count = 0; count < 4; count++) await slots.acquire()
    slots.throttle()
    t.notOk(await isFree(slots), 'the fifth waits')
    slots.release()
    slots.release()
    t.notOk(await isFree(slots), 'and the sixth: two are still out')
    let turns = 0
    const next = slots.acquire().then(() => turns++)
    slots.release()
    slots.release()
    slots.release()
    await next
    t.equal(turns, 1)
  },
)

await t.test('parts that go well bring slots back, slowly', async (t) => {
  const slots = new Slots(4)
  slots.throttle()
  slots.throttle()
  const limits: number[] = []
  for (let count = 0; count < 13; count++) {
    slots.succeed()
    limits.push(slots.limit)
  }
  t.same(limits, [1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4])
  slots.succeed()
  t.equal(slots.limit, 4, 'and never more than at first')
})

await t.test('a throttled answer undoes what went well before', async (t) => {
  const slots = new Slots(4)
  slots.throttle()
  for (let count = 0; count < 3; count++) slots.succeed()
  slots.throttle()
  slots.succeed()
  t.equal(slots.limit, 1)
})
