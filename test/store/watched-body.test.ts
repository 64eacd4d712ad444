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
  t.equal((await body.next()).done, true)
})

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
  const pulled = body.next()
  await turn()
  t.equal(asked, 0)
  flush()
  t.equal((await pulled).done, false)
  t.equal(asked, 1)
  const last = body.next()
  await body.close()
  t.equal((await last).done, true, 'closed meanwhile')
})

await t.test('after close nothing is handed out', async (t) => {
  const body = new WatchedBody(bodyFrom(Buffer.alloc(5), 2), events())
  await body.next()
  await body.close()
  t.equal((await body.next()).done, true)
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
  const pulled = body.next()
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
  await body.close()
  t.equal((await body.next()).done, true)
  t.equal(made, 0)
})

await t.test("the source's failure is kept", async (t) => {
  const failure = new Error('no')
  const body = new WatchedBody(async function* () {
    yield Buffer.alloc(1)
    throw failure
  }, events())
  await body.next()
  await t.rejects(body.next(), failure)
  t.equal(body.failure?.error, failure)
  await body.close()
})
