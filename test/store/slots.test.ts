import t from 'tap'
import { SetSlots, type Slot } from '../../lib/store/slots.js'

const stored = { size: 1, attempts: 1 }

/** A slot, when one is given at once. */
async function tryAcquire(slots: SetSlots): Promise<Slot | undefined> {
  let given: Slot | undefined
  void slots.acquire().then((slot) => (given = slot))
  for (let turns = 0; turns < 3; turns++) await Promise.resolve()
  return given
}

/** So many parts, one after the other; the limit after each. */
async function goWell(slots: SetSlots, count: number): Promise<number[]> {
  const limits: number[] = []
  for (let part = 0; part < count; part++) {
    const slot = await slots.acquire()
    slot.end(stored)
    limits.push(slots.limit)
  }
  return limits
}

await t.test('as many at once as it says, in order', async (t) => {
  const slots = new SetSlots(2)
  t.equal(slots.allowed, 2)
  const first = await slots.acquire()
  const second = await slots.acquire()
  const order: number[] = []
  const waiting = [1, 2, 3].map(async (number) => {
    const slot = await slots.acquire()
    order.push(number)
    return slot
  })
  t.same(order, [])
  first.end()
  ;(await waiting[0])?.end()
  second.end()
  await Promise.all(waiting)
  t.same(order, [1, 2, 3])
})

await t.test('a server that throttles halves them, down to one', async (t) => {
  const slots = new SetSlots(8)
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
    const slots = new SetSlots(4)
    const held: Slot[] = []
    for (let count = 0; count < 4; count++) held.push(await slots.acquire())
    slots.throttle()
    t.notOk(await tryAcquire(slots), 'the fifth waits')
    held.pop()?.end()
    held.pop()?.end()
    t.notOk(await tryAcquire(slots), 'and the sixth: two are still out')
    held.pop()?.end()
    held.pop()?.end()
    t.notOk(await tryAcquire(slots), 'the fifth and the sixth have theirs')
  },
)

await t.test('parts that go well bring slots back, slowly', async (t) => {
  const slots = new SetSlots(4)
  slots.throttle()
  slots.throttle()
  t.same(await goWell(slots, 13), [1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4])
  t.same(
    await goWell(slots, 5),
    [4, 4, 4, 4, 4],
    'and never more than at first',
  )
})

await t.test('a part that failed brings none back', async (t) => {
  const slots = new SetSlots(2)
  slots.throttle()
  for (let part = 0; part < 8; part++) (await slots.acquire()).end()
  t.equal(slots.limit, 1)
})

await t.test('a throttled answer undoes what went well before', async (t) => {
  const slots = new SetSlots(4)
  slots.throttle()
  await goWell(slots, 3)
  slots.throttle()
  await goWell(slots, 1)
  t.equal(slots.limit, 1)
})
