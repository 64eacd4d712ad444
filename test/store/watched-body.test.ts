import t from 'tap'
import { WatchedBody } from '../../lib/store/watched-body.js'
import { turn } from '../support/attempts.js'
import { bodyFrom } from '../support/store-call.js'

function events() {
  const seen: string[] = []
  return {
    seen,
    onPull: () => seen.push('pull'),
    onEnd: () => seen.push('end'),
    flushed: () => undefined,
  }
}

await t.test('each pull is told, and the end once', async (t) => {
  const { seen, ...handlers } = events()
  const body = new WatchedBody(bodyFrom(Buffer.alloc(5), 2), handlers)
  const sizes: number[] = []
  for await (const view of body) sizes.push(view.length)
  t.strictSame(sizes, [2, 2, 1])
  t.strictSame(seen, ['pull', 'pull', 'pull', 'pull', 'end'])
  t.equal(body.finished, true)
})

await t.test(
  'read again it begins anew, and the first reading ends',
  async (t) => {
    const { seen, ...handlers } = events()
    let ended = 0
    const body = new WatchedBody(async function* () {
      try {
        yield* [Buffer.from('a'), Buffer.from('b'), Buffer.from('c')]
      } finally {
        ended++
      }
    }, handlers)
    const first = body[Symbol.asyncIterator]()
    await first.next()
    await first.next()
    t.equal(body.handedOut, 2)
    const letters: string[] = []
    for await (const view of body) letters.push(String(view))
    t.strictSame(letters, ['a', 'b', 'c'])
    t.equal((await first.next()).done, true)
    t.equal(ended, 2)
    t.equal(body.handedOut, 3)
    t.equal(body.finished, true)
    t.equal(seen.filter((event) => event === 'end').length, 1)
  },
)

await t.test(
  'a second reading waits for the source of the first',
  async (t) => {
    let atWork = 0
    let release: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const body = new WatchedBody(async function* () {
      t.equal(++atWork, 1, 'one source at a time')
      try {
        await gate
        yield Buffer.alloc(1)
      } finally {
        atWork--
      }
    }, events())
    const first = body[Symbol.asyncIterator]()
    const held = first.next()
    const second = body[Symbol.asyncIterator]()
    const wanted = second.next()
    await turn()
    release()
    t.equal((await held).done, true)
    t.equal((await wanted).done, false)
    await body.close()
    t.equal(atWork, 0)
  },
)

await t.test('the source is asked when the last view has left', async (t) => {
  let asked = 0
  let flush: () => void = () => undefined
  const waiting = new Promise<void>((resolve) => {
    flush = resolve
  })
  const body = new WatchedBody(
    () => {
      asked++
      return bodyFrom(Buffer.alloc(1))()
    },
    { ...events(), flushed: () => waiting },
  )
  const reading = body[Symbol.asyncIterator]()
  const pulled = reading.next()
  await turn()
  t.equal(asked, 0)
  flush()
  t.equal((await pulled).done, false)
  t.equal(asked, 1)
  const last = reading.next()
  await body.close()
  t.equal((await last).done, true, 'closed meanwhile')
})

await t.test('after close nothing is handed out', async (t) => {
  const body = new WatchedBody(bodyFrom(Buffer.alloc(5), 2), events())
  const reading = body[Symbol.asyncIterator]()
  await reading.next()
  await body.close()
  t.equal((await reading.next()).done, true)
  t.equal(body.finished, false)
})

await t.test('a view that was on its way is held back', async (t) => {
  let release: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  let ended = false
  const body = new WatchedBody(async function* () {
    try {
      await gate
      yield Buffer.alloc(1)
    } finally {
      ended = true
    }
  }, events())
  const reading = body[Symbol.asyncIterator]()
  const pulled = reading.next()
  const closed = body.close()
  release()
  t.equal((await pulled).done, true)
  await closed
  t.ok(ended, 'close waits for the source')
})

await t.test('closed before it began, the source is never made', async (t) => {
  let made = 0
  const body = new WatchedBody(() => {
    made++
    return bodyFrom(Buffer.alloc(1))()
  }, events())
  const reading = body[Symbol.asyncIterator]()
  await body.close()
  t.equal((await reading.next()).done, true)
  t.equal(made, 0)
})

await t.test("the source's failure is kept", async (t) => {
  const failure = new Error('no')
  const body = new WatchedBody(async function* () {
    yield Buffer.alloc(1)
    throw failure
  }, events())
  const reading = body[Symbol.asyncIterator]()
  await reading.next()
  await t.rejects(reading.next(), failure)
  t.equal(body.failure?.error, failure)
  await body.close()
})
