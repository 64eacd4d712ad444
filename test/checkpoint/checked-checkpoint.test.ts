/** Sinks of a caller's own: what they throw, and what they never answer. */
import t from 'tap'
import {
  checkedCheckpoint,
  lostHold,
} from '../../lib/checkpoint/checked-checkpoint.js'
import type { Checkpoint } from '../../lib/checkpoint/checkpoint.js'
import { memoryCheckpoint } from '../../lib/checkpoint/memory-checkpoint.js'
import { UploadError } from '../../lib/errors.js'
import { handClock } from '../support/hand-clock.js'
import { turning } from '../support/hand-upload.js'

const timeout = 60_000
const never = (): Promise<never> => new Promise(() => undefined)

/** A sink in memory, some of whose steps are others, on a clock turned by hand. */
function setUp(steps: Partial<Checkpoint> = {}) {
  const clock = handClock()
  const sink = Object.assign(memoryCheckpoint(), steps)
  const bounds = { environment: clock, timeout }
  return { clock, sink, checked: checkedCheckpoint(sink, bounds) }
}

const asking: Record<
  'open' | 'append' | 'setAside' | 'empty' | 'confirm',
  (checked: Checkpoint) => Promise<unknown>
> = {
  open: (checked) => checked.open(),
  append: (checked) => checked.append(Buffer.from('x')),
  setAside: (checked) => checked.setAside(),
  empty: async (checked) => checked.empty?.(),
  confirm: async (checked) => checked.confirm?.(),
}

/** What a step rejects with. */
async function failureOf(step: Promise<unknown>): Promise<UploadError> {
  const error: unknown = await step.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof UploadError) return error
  throw new Error('an UploadError was expected', { cause: error })
}

for (const [step, ask] of Object.entries(asking)) {
  await t.test(`what ${step}() throws is the cause of a failure`, async (t) => {
    const thrown = [new TypeError('a bug'), 'a text', undefined]
    for (const cause of thrown) {
      const ways = [
        () => {
          throw cause
        },
        async () => {
          throw cause
        },
      ]
      for (const fails of ways) {
        const { clock, checked } = setUp({ [step]: fails })
        if (step !== 'open') await checked.open()
        const error = await failureOf(ask(checked))
        t.equal(error.code, 'PAWL_CHECKPOINT_IO')
        t.equal(error.cause, cause)
        t.match(error.message, /^the checkpoint in memory could not be /)
        t.equal(clock.hanging, 0)
      }
    }
    const own = new UploadError('PAWL_CHECKPOINT_LOST', 'taken')
    const { checked } = setUp({ [step]: () => Promise.reject(own) })
    if (step !== 'open') await checked.open()
    t.equal(await failureOf(ask(checked)), own, 'one of ours stays as it is')
  })

  await t.test(
    `a ${step}() without an answer has failed in time`,
    async (t) => {
      let closed = 0
      let answer: (value: never) => void = () => undefined
      const { clock, checked } = setUp({
        [step]: () => new Promise((resolve) => void (answer = resolve)),
        close: async () => void closed++,
      })
      if (step !== 'open') await checked.open()
      const begun = clock.monotonic()
      const error = await turning(clock, failureOf(ask(checked)), 1000)
      t.match(error, {
        code: 'PAWL_CHECKPOINT_IO',
        transient: true,
        message: /no answer came within 60 s \(timeout\.checkpoint\)/,
      })
      t.equal(clock.monotonic() - begun, timeout)
      t.equal(clock.hanging, 0)
      // The step may be under way, and no other may come beside it.
      t.equal(await failureOf(checked.append(Buffer.from('y'))), error)
      t.equal(await checked.remove(), false)
      t.equal(closed, 0)
      answer(new Uint8Array() as never)
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      t.equal(
        closed,
        step === 'open' ? 1 : 0,
        'nobody has a hold that came late',
      )
    },
  )
}

await t.test('what slept while it was asked is waited for anew', async (t) => {
  let answer: () => void = () => undefined
  const { clock, checked } = setUp({
    append: () => new Promise((resolve) => void (answer = resolve)),
  })
  await checked.open()
  const appending = checked.append(Buffer.from('x'))
  clock.block(3_600_000)
  answer()
  await appending
  t.equal(clock.hanging, 0)
})

await t.test('a removal that fails has left the log', async (t) => {
  for (const remove of [
    () => {
      throw new TypeError('a bug')
    },
    () => Promise.reject(new Error('no connection')),
    never,
  ]) {
    const { clock, checked } = setUp({ remove })
    await checked.open()
    t.equal(await turning(clock, checked.remove(), 1000), false)
    t.equal(clock.hanging, 0)
  }
})

await t.test('closing ends what was asked, and never fails', async (t) => {
  for (const close of [
    () => {
      throw new TypeError('a bug')
    },
    () => Promise.reject(new Error('no connection')),
    never,
  ]) {
    const { clock, checked } = setUp({ close, append: never })
    await checked.open()
    void checked.append(Buffer.from('x'))
    const begun = clock.monotonic()
    await turning(clock, checked.close())
    t.ok(clock.monotonic() - begun <= 2000)
    t.equal(clock.hanging, 0)
  }
})

await t.test('bytes that are none are a failure', async (t) => {
  for (const bytes of [undefined, null, 'text', {}, [1]]) {
    let closed = 0
    const open = async (): Promise<Uint8Array> => bytes as never
    const { checked } = setUp({ open, close: async () => void closed++ })
    t.match(await failureOf(checked.open()), { code: 'PAWL_CHECKPOINT_IO' })
    t.equal(closed, 1, 'its hold is let go')
  }
})

await t.test('what a sink lacks, and what it tells, stays so', (t) => {
  const { checked } = setUp()
  t.ok('empty' in checked)
  t.notOk('confirm' in checked)
  const { signal } = new AbortController()
  const facts = {
    isLeased: true,
    canLose: true,
    freeFor: 7,
    lost: signal,
    linger: 9,
  } as const
  const told = setUp({ ...facts, confirm: async () => undefined }).checked
  t.match(told, facts)
  t.ok('confirm' in told)
  t.end()
})

await t.test('a sink that tells of its lost hold, in its own words', (t) => {
  const ours = new UploadError('PAWL_CHECKPOINT_LOST', 'taken')
  for (const [reason, code] of [
    [ours, ours],
    [new Error('another node'), { message: /no longer held: another node;/ }],
    ['a text', { cause: 'a text', resumable: true, transient: true }],
  ] as const) {
    const lost = AbortSignal.abort(reason)
    const error = lostHold(setUp({ lost }).checked)
    t.match(error, code)
    t.equal(error.code, 'PAWL_CHECKPOINT_LOST')
  }
  t.end()
})
