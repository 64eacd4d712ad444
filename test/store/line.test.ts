/** How many parts go at once to a store, where nobody says it. */
import t from 'tap'
import {
  afterForetaste,
  afterRound,
  afterThrottling,
  type Climb,
  firstClimb,
  type Round,
} from '../../lib/store/line-rule.js'
import { Line } from '../../lib/store/line.js'
import type { Slot, Slots } from '../../lib/store/slots.js'
import { SteadyRate } from '../../lib/store/steady-rate.js'
import { StoreLine, StoreLines } from '../../lib/store/store-line.js'
import { handClock } from '../support/hand-clock.js'
import { storeInMemory } from '../support/hand-upload.js'
import { type LineTraits, overLine } from '../support/line-model.js'

const MB = 1e6
const MiB = 2 ** 20
const GiB = 2 ** 30
const partSize = 8 * MiB

await t.test('which number follows a round', (t) => {
  const most = 48
  const at = (limit: number, more: Partial<Climb> = {}): Climb => ({
    ...firstClimb,
    limit,
    fastest: 10 * MB,
    ...more,
  })
  const tried = (limit: number, before: number, rate: number): Climb =>
    at(limit, { before: { limit: before, rate: rate * MB } })
  /** Of what there was before a foretaste is all that is known. */
  const tasted = (limit: number, before: number, rate: number): Climb =>
    at(limit, {
      before: { limit: before, rate: rate * MB, isForetaste: true },
    })
  const rows: [
    name: string,
    climb: Climb,
    round: Partial<Round> & { rate: number },
    limit: number,
    bounds?: { most?: number; maxRate?: number },
  ][] = [
    ['one part has shown room for more', at(1), { rate: 10 }, 4],
    ['no more than five seconds of the line', at(1), { rate: 5 }, 2],
    ['less than one there never is', at(2), { rate: 1 }, 1],
    ['a faster round is followed by more', tried(4, 1, 10), { rate: 40 }, 16],
    ['nearly as many too', tried(15, 4, 40), { rate: 140 }, 30],
    ['many are doubled', tried(16, 4, 40), { rate: 150 }, 32],
    ['one no faster is taken back', tried(4, 1, 10), { rate: 10 }, 1],
    ['so is one that is hardly faster', tried(16, 4, 90), { rate: 97 }, 4],
    [
      'after a foretaste one that brings half of what it might',
      tasted(16, 4, 60),
      { rate: 97 },
      32,
    ],
    ['and no less', tasted(16, 4, 60), { rate: 95 }, 4],
    ['of the first that hides waits', tasted(4, 1, 8), { rate: 9 }, 5],
    ['and of one more a little', tasted(2, 1, 3.2), { rate: 3.8 }, 2],
    ['of few a little is much', tried(2, 1, 3.6), { rate: 3.8 }, 2],
    ['then it rests', at(4, { rest: 3 }), { rate: 40 }, 4],
    ['and tries a few more', at(4, { isSteep: false }), { rate: 40 }, 6],
    ['a line that slows has fewer', at(16, { rest: 3 }), { rate: 8 }, 4],
    [
      'a source that is slow shows nothing',
      at(8),
      { rate: 30, inFlight: 3 },
      8,
    ],
    ['not beyond what there may be', at(4), { rate: 40 }, 6, { most: 6 }],
    ['a few, by a thread that has no time', at(1), { rate: 90, busy: 0.8 }, 4],
    ['and no more of them', tried(4, 1, 90), { rate: 400, busy: 0.8 }, 4],
    ['though none is taken away', tried(16, 4, 90), { rate: 400, busy: 1 }, 16],
    ['unless it was no faster', tried(16, 4, 90), { rate: 91, busy: 1 }, 4],
    ['not against a rate', at(2), { rate: 19.8 }, 2, { maxRate: 20 * MB }],
    ['up to a rate', at(2), { rate: 15 }, 3, { maxRate: 20 * MB }],
    [
      'uploads that have one each are more than were allowed',
      at(1),
      { rate: 100, inFlight: 10 },
      20,
    ],
    [
      'parts that take long alone, and do not slow each other',
      at(2, { isSteep: false }),
      { rate: 20, partSize: 64 * MiB },
      3,
    ],
    [
      'as many of those as slow each other little',
      at(16, { rest: 3 }),
      { rate: 100, partSize: 64 * MiB },
      12,
    ],
  ]
  for (const [name, climb, seen, limit, bounds] of rows) {
    const round = { partSize, inFlight: climb.limit, busy: 0.7, ...seen }
    round.rate *= MB
    const next = afterRound(climb, round, { most, ...bounds })
    t.equal(next.limit, limit, name)
  }
  t.end()
})

await t.test('which number follows a foretaste of a round', (t) => {
  const rows: [
    name: string,
    climb: Partial<Climb> & { limit: number },
    rate: number,
    left: number,
    limit: number,
  ][] = [
    ['there is room for more', { limit: 1 }, 10, 0.5, 4],
    ['more would keep those that fly too long', { limit: 1 }, 10, 2, 2],
    ['a small step is not worth it', { limit: 4 }, 12, 0.5, 4],
    ['and on a slow line any would', { limit: 1 }, 8, 4, 1],
    ['or take a large share of the line', { limit: 1 }, 3, 0.5, 1],
    [
      'more again',
      { limit: 4, before: { limit: 1, rate: 10 * MB } },
      40,
      1,
      16,
    ],
    [
      'one that is no faster yet is left for its end to judge',
      { limit: 4, before: { limit: 1, rate: 10 * MB } },
      10,
      1,
      4,
    ],
    [
      'nothing after a step was taken back',
      { limit: 4, isSteep: false },
      40,
      1,
      4,
    ],
    ['many wait for the end', { limit: 16 }, 100, 1, 16],
    ['nothing in a rest', { limit: 4, rest: 1 }, 40, 1, 4],
  ]
  for (const [name, more, rate, left, limit] of rows) {
    const climb = { ...firstClimb, fastest: 12 * MB, ...more }
    const taste = {
      rate: rate * MB,
      partSize,
      inFlight: climb.limit,
      busy: 0,
      left,
    }
    const next = afterForetaste(climb, taste, { most: 48 })
    t.equal(next.limit, limit, name)
    if (limit === climb.limit) t.equal(next, climb)
    if (climb.limit < 4) continue
    const busy = afterForetaste(climb, { ...taste, busy: 1 }, { most: 48 })
    t.equal(busy, climb, 'a few are enough for a thread that has no time')
  }
  t.end()
})

await t.test('the rate of bytes that leave in bursts', (t) => {
  const rate = new SteadyRate()
  const ofBursts = 0.8
  const rows: [ms: number, bytes: number, bursts: number | undefined][] = [
    [1000, 2 * MB, undefined],
    // The system's buffers take these at once.
    [1001, MB / 2, undefined],
    [1049, MB / 4, undefined],
    [1150, MB / 4, undefined],
    // Too short a time.
    [1200, MB / 4, undefined],
    [1250, MB / 4, 5 * MB],
    [1650, MB / 4, 1.5 * MB],
  ]
  for (const [ms, bytes, bursts] of rows) {
    rate.add(bytes, ms)
    t.equal(rate.rate(ms), bursts && ofBursts * bursts, `at ${ms} ms`)
  }
  t.equal(rate.rate(1850), 1.2 * MB, 'that none leave for a moment')
  t.equal(rate.rate(2350), 0.6 * MB, 'a stall counts')
  t.equal(rate.sent, 3.75 * MB)
  rate.reset(2100)
  rate.add(MB / 8, 2200)
  rate.add(MB / 8, 2300)
  t.equal(rate.rate(2500), undefined, 'it begins anew')
  rate.add(MB / 8, 2500)
  t.equal(rate.rate(2500), MB / 2)
  t.equal(rate.sent, 4.125 * MB)
  t.end()
})

await t.test('what a line has carried, as no buffer holds it', (t) => {
  const buffer = 4 * MiB
  const rate = new SteadyRate()
  rate.add(buffer, 1000)
  t.equal(rate.rate(1100), undefined, 'a buffer may hold it all')
  rate.add(MB, 1040)
  t.equal(rate.rate(1040), undefined, 'too short a time')
  t.equal(rate.rate(1050), 20 * MB)
  t.equal(rate.rate(1200), 5 * MB, 'at least, as more may be on its way')
  rate.reset(1200)
  rate.add(Math.floor(buffer / 3), 1201)
  t.equal(rate.rate(1400), undefined, 'some of a burst shows nothing')
  rate.add(MB, 1400)
  t.equal(Math.round((rate.rate(1400) ?? 0) / MB), 5)
  t.end()
})

await t.test('what was no faster is tried later and later', (t) => {
  let climb: Climb = firstClimb
  const tries: number[] = []
  for (let round = 1; round <= 200; round++) {
    const before = climb.limit
    // A line that one part fills.
    const seen = { rate: 40 * MB, partSize, inFlight: climb.limit, busy: 0 }
    climb = afterRound(climb, seen, { most: 48 })
    if (climb.limit > before) tries.push(round)
  }
  t.same(tries, [1, 11, 29, 63, 129, 195])
  t.end()
})

await t.test('throttling halves it, and large steps are over', (t) => {
  const halved = afterThrottling({ ...firstClimb, limit: 9 })
  t.match(halved, { limit: 4, isSteep: false })
  t.ok(halved.rest > 0)
  t.equal(halved.before, undefined)
  t.equal(afterThrottling(firstClimb).limit, 1)
  t.end()
})

function lineByHand() {
  const clock = handClock()
  const line = new Line(clock, { most: 48 })
  /** So many parts, begun at once and stored after `ms`. */
  const round = async (slots: Slots, parts: number, ms: number) => {
    const held: Slot[] = []
    for (let part = 0; part < parts; part++) held.push(await slots.acquire())
    clock.advance(ms)
    for (const slot of held) slot.end({ size: partSize, attempts: 1 })
  }
  return { clock, line, round }
}

/** Whether it is given at once. */
async function isGiven(turn: Promise<Slot>): Promise<boolean> {
  let isIt = false
  void turn.then(() => (isIt = true))
  for (let turns = 0; turns < 3; turns++) await Promise.resolve()
  return isIt
}

await t.test('each upload has one, the others are in turn', async (t) => {
  const { line } = lineByHand()
  const [one, other] = [line.join(), line.join()]
  const first = await one.acquire()
  const second = one.acquire()
  t.notOk(await isGiven(second), 'there is room for one')
  const third = other.acquire()
  t.ok(await isGiven(third), 'but each has one')
  t.same([one.allowed, other.allowed], [2, 2])
  first.end()
  t.ok(await isGiven(second), 'it has none, and waits')
})

await t.test('a turn goes to who has the fewest', async (t) => {
  const { line, round } = lineByHand()
  const [one, other] = [line.join(), line.join()]
  await round(one, 1, 850)
  t.equal(line.limit, 4)
  const held = [await one.acquire(), await one.acquire(), await one.acquire()]
  const its = await other.acquire()
  const more = one.acquire()
  const another = other.acquire()
  its.end()
  t.ok(await isGiven(another))
  t.notOk(await isGiven(more))
  held[0]?.end()
  t.ok(await isGiven(more))
})

await t.test('a part that was sent again says nothing', async (t) => {
  const { clock, line } = lineByHand()
  const slots = line.join()
  for (const stored of [
    undefined,
    { size: partSize, attempts: 2 },
    { size: 0, attempts: 1 },
  ]) {
    const slot = await slots.acquire()
    clock.advance(850)
    slot.end(stored)
    t.equal(line.limit, 1)
  }
})

await t.test('before its first part is stored a line is climbed', async (t) => {
  const { clock, line } = lineByHand()
  const slots = line.join()
  const heard: number[] = []
  slots.watch(() => heard.push(slots.allowed))
  const first = await slots.acquire()
  const second = slots.acquire()
  for (let step = 0; step < 2; step++) {
    first.sent(MiB, partSize)
    clock.advance(110)
  }
  first.sent(MiB, partSize)
  t.equal(line.limit, 1, 'more may leave in this moment')
  first.sent(MiB, partSize)
  clock.advance(10)
  t.equal(line.limit, 4)
  t.same(heard, [4])
  t.ok(await isGiven(second))
  for (let step = 0; step < 9; step++) {
    clock.advance(110)
    first.sent(MiB, 64 * MiB)
  }
  t.equal(line.limit, 4, 'of the others nothing is known')
})

await t.test('a round of some parts takes its time', async (t) => {
  const { line, round } = lineByHand()
  const slots = line.join()
  await round(slots, 1, 20)
  t.equal(line.limit, 4)
  for (let rounds = 1; rounds <= 4; rounds++) {
    t.equal(line.limit, 4, `after ${rounds - 1} of 50 ms`)
    await round(slots, 4, 50)
  }
  t.equal(line.limit, 16)
})

await t.test('nor are more begun by a thread without time', async (t) => {
  const { clock, line, round } = lineByHand()
  const slots = line.join()
  await round(slots, 1, 20)
  for (let rounds = 1; rounds <= 20; rounds++) {
    clock.block(40)
    await round(slots, 4, 10)
  }
  t.equal(line.limit, 4)
  await round(slots, 4, 400)
  t.equal(line.limit, 16, 'until it has some')
})

await t.test('who leaves holds nobody up', async (t) => {
  const { line } = lineByHand()
  const [one, other] = [line.join(), line.join()]
  const held = await one.acquire()
  const waiting = one.acquire()
  t.notOk(await isGiven(waiting))
  one.leave()
  t.ok(await isGiven(waiting), 'it finds that it is over')
  held.end()
  ;(await waiting).end()
  t.ok(await isGiven(other.acquire()))
})

await t.test('after a long rest it begins again', async (t) => {
  const { clock, line, round } = lineByHand()
  const slots = line.join()
  await round(slots, 1, 850)
  t.equal(line.limit, 4)
  clock.advance(59_999)
  ;(await slots.acquire()).end()
  t.equal(line.limit, 4)
  clock.advance(60_000)
  ;(await slots.acquire()).end()
  t.equal(line.limit, 1)
})

await t.test('who may have more hears of it', async (t) => {
  const { line, round } = lineByHand()
  const slots = line.join()
  const heard: number[] = []
  slots.watch(() => heard.push(slots.allowed))
  await round(slots, 1, 850)
  t.same(heard, [4])
})

function linesOf(store: { maxRate?: number }) {
  const clock = { now: 0 }
  const line = new StoreLine(store, {
    monotonic: () => clock.now,
    idle: () => clock.now,
    timer: () => ({ cancel: () => undefined }),
  })
  const join = (wishes: Partial<Parameters<StoreLine['join']>[0]>) =>
    line.join({ concurrency: 48, isAuto: true, maxRate: undefined, ...wishes })
  return { clock, line, join }
}

/** How many turns are given at once. */
async function givenOf(slots: Slots): Promise<number> {
  for (let given = 0; ; given++) {
    if (given === 100 || !(await isGiven(slots.acquire()))) return given
  }
}

await t.test(
  'throttling counts for all, and once for what comes together',
  async (t) => {
    const { clock, line, join } = linesOf({})
    const eight = { concurrency: 8, isAuto: false }
    const [one, other, left] = [join(eight), join(eight), join(eight)]
    line.leave(left)
    for (let refused = 0; refused < 8; refused++) line.throttle()
    t.equal(await givenOf(one), 4)
    clock.now += 1000
    line.throttle()
    t.equal(await givenOf(other), 2)
    t.equal(await givenOf(left), 8)
  },
)

await t.test(
  'a rate allows so many parts that each has some of it',
  async (t) => {
    const KiB = 1024
    for (const [ofStore, maxRate, parts] of [
      [undefined, 256 * KiB, 4],
      [256 * KiB, undefined, 4],
      [192 * KiB, 256 * KiB, 3],
      [undefined, 1, 1],
      [undefined, 5 * MB, 8],
    ] as const) {
      const { join } = linesOf(
        ofStore === undefined ? {} : { maxRate: ofStore },
      )
      const slots = join({ concurrency: 8, isAuto: false, maxRate })
      t.equal(slots.allowed, parts, `${ofStore} and ${maxRate}`)
      t.equal(await givenOf(slots), parts)
    }
  },
)

await t.test('the line is the store’s', async (t) => {
  const lines = new StoreLines({
    monotonic: () => 0,
    idle: () => 0,
    timer: () => ({ cancel: () => undefined }),
  })
  const [one, other] = [storeInMemory().store, storeInMemory().store]
  t.equal(lines.of(one), lines.of(one))
  t.not(lines.of(one), lines.of(other))
})

/** As much together, however many there are. */
const flat = (bytes: number) => () => bytes

const far: LineTraits = {
  connection: 10 * MB,
  total: flat(100 * MB),
  roundTrip: 50,
}
const slow: LineTraits = {
  connection: 4 * MB,
  total: flat(4 * MB),
  roundTrip: 200,
}
/** One processor: few at once use it best, many cost more than they bring. */
const loopback: LineTraits = {
  connection: Infinity,
  total: (atOnce) => {
    const shares = [0.7, 0.9, 1, 0.97, 0.92, 0.82]
    return 1500 * MB * (shares[Math.ceil(Math.log2(atOnce))] ?? 0.8)
  },
  roundTrip: 0.2,
  noise: 0.1,
}
const whole = { size: GiB, partSize }
/** ms that the line takes for so many bytes. */
const timeOf = (size: number, rate: number): number => (size / rate) * 1000
const seeds = [1, 2, 3, 4]

await t.test('a far line is filled', async (t) => {
  const links = timeOf(GiB, 100 * MB)
  const rows: [name: string, hands: number, most: number][] = [
    ['a file', Infinity, 1.08],
    ['a file whose parts are held for a digest', 12, 1.09],
    ['a stream', 11, 1.15],
  ]
  for (const seed of seeds) {
    const line = { ...far, noise: 0.05 }
    for (const [name, hands, most] of rows) {
      const { took } = await overLine(line, [{ ...whole, hands }], { seed })
      t.ok((took[0] ?? NaN) / links < most, `${name} took ${took.join()}`)
    }
  }
})

await t.test(
  'a slow line stores its first part soon, and is filled',
  async (t) => {
    const { took, firstStored, peak } = await overLine(slow, [whole])
    t.ok(firstStored <= 5000, `${firstStored} ms`)
    t.ok((took[0] ?? NaN) / timeOf(GiB, 4 * MB) < 1.06, took.join())
    t.ok(peak * partSize <= 5 * 4 * MB, `${peak} parts at once`)
  },
)

await t.test('on the loopback it is as good as the best number', async (t) => {
  for (const seed of seeds) {
    const [auto = NaN] = (await overLine(loopback, [whole], { seed })).took
    let best = Infinity
    for (const concurrency of [1, 2, 3, 4, 6, 8, 16, 32]) {
      const fixed = { ...whole, wishes: { concurrency, isAuto: false } }
      const { took } = await overLine(loopback, [fixed], { seed })
      best = Math.min(best, ...took)
    }
    t.ok(auto / best < 1.1, `${auto} ms, and ${best}`)
  }
})

await t.test('ten uploads share the line, and none starves', async (t) => {
  for (const seed of seeds) {
    const uploads = Array.from({ length: 10 }, () => ({
      ...whole,
      size: GiB / 10,
    }))
    const { took } = await overLine({ ...far, noise: 0.05 }, uploads, { seed })
    const slowest = Math.max(...took)
    t.ok(slowest / timeOf(GiB, 100 * MB) < 1.25, `${slowest} ms`)
    t.ok(slowest / Math.min(...took) < 1.5, took.join())
  }
})

await t.test('one that comes late has its share soon', async (t) => {
  const late = { ...whole, size: GiB / 4, begins: 4000 }
  const { took } = await overLine(far, [whole, late])
  const alone = timeOf(GiB / 4, 100 * MB)
  t.ok((took[1] ?? NaN) / alone < 3, `${took[1]} ms, and ${alone} alone`)
})

await t.test(
  'large parts that take long alone fill the line as well',
  async (t) => {
    const size = 8 * GiB
    const { took } = await overLine(far, [{ size, partSize: 64 * MiB }])
    t.ok((took[0] ?? NaN) / timeOf(size, 100 * MB) < 1.35, took.join())
  },
)
