import t from 'tap'
import { LogWriter, endOf, startOf } from '../../lib/checkpoint/writer.js'
import { realEnvironment } from '../../lib/environment.js'
import { handClock } from '../support/hand-clock.js'
import {
  BytesSink,
  LOG_ID,
  cut,
  goOn,
  header,
  linesOf,
  logOf,
  part,
  readGood,
  story,
  upload,
  xxh64,
} from '../support/log-fixture.js'

interface Gate {
  promise: Promise<void>
  resolve: () => void
  reject: (error: Error) => void
}

function newGate(): Gate {
  let resolve: Gate['resolve'] = () => {}
  let reject: Gate['reject'] = () => {}
  const promise = new Promise<void>((...both) => ([resolve, reject] = both))
  return { promise, resolve, reject }
}

/** A sink whose appends wait until they are let through, or fail. */
class SlowSink extends BytesSink {
  readonly #waiting: Gate[] = []
  #arrived = newGate()

  override async append(bytes: Uint8Array): Promise<void> {
    const gate = newGate()
    this.#waiting.push(gate)
    this.#arrived.resolve()
    await gate.promise
    await super.append(bytes)
  }

  /** Resolves when an append is in flight. */
  async next(): Promise<Gate> {
    for (;;) {
      const gate = this.#waiting.shift()
      if (gate !== undefined) return gate
      this.#arrived = newGate()
      await this.#arrived.promise
    }
  }

  get inFlight(): number {
    return this.#waiting.length
  }
}

function newWriter(sink: BytesSink): LogWriter {
  return new LogWriter(sink, startOf(LOG_ID), xxh64, realEnvironment)
}

await t.test('what is given in one turn goes in one write', async (t) => {
  const sink = new BytesSink()
  const writer = newWriter(sink)
  await Promise.all([
    writer.append([header()]),
    writer.append([upload('A')]),
    writer.append([part(1)]),
  ])
  t.equal(sink.appends.length, 1)
  t.equal(readGood(sink.bytes).state.upload?.parts.size, 1)
  t.equal(writer.epoch, 'A')
})

await t.test(
  'one write is in flight; what comes meanwhile is the next',
  async (t) => {
    const sink = new SlowSink()
    const writer = newWriter(sink)
    const settled: string[] = []
    const first = writer
      .append([header(), upload('A')])
      .then(() => settled.push('first'))
    const gate = await sink.next()
    const others = [1, 2, 3].map((number) => writer.append([part(number)]))
    const last = Promise.all(others).then(() => settled.push('others'))
    t.equal(sink.inFlight, 0)
    gate.resolve()
    await first
    ;(await sink.next()).resolve()
    await last
    t.strictSame(settled, ['first', 'others'])
    t.equal(sink.appends.length, 2)
    t.equal(readGood(sink.bytes).state.upload?.parts.size, 3)
  },
)

await t.test('the first failure is final, for all', async (t) => {
  const sink = new SlowSink()
  const writer = newWriter(sink)
  const failure = new Error('no space left')
  const first = writer.append([header()])
  const gate = await sink.next()
  const second = writer.append([upload('A')])
  gate.reject(failure)
  await t.rejects(first, failure)
  await t.rejects(second, failure)
  await t.rejects(writer.append([part(1)]), failure)
  await t.rejects(writer.flush(), failure)
  t.equal(sink.inFlight, 0, 'nothing more was tried')
  t.strictSame(sink.appends, [])
})

await t.test(
  'flush waits for what was given, and for nothing more',
  async (t) => {
    const sink = new SlowSink()
    const writer = newWriter(sink)
    await writer.flush()
    const appended = writer.append([header()])
    let isFlushed = false
    const flushed = writer.flush().then(() => (isFlushed = true))
    const gate = await sink.next()
    t.equal(isFlushed, false)
    gate.resolve()
    await Promise.all([appended, flushed])
    await writer.flush()
    t.equal(sink.appends.length, 1)
  },
)

await t.test(
  'a record that could not be read back is refused alone',
  async (t) => {
    const sink = new BytesSink()
    const writer = newWriter(sink)
    await writer.append([header(), upload('A')])
    await t.rejects(writer.append([part(1), part(2, { etag: 'é' })]), {
      code: 'PAWL_CHECKPOINT_IO',
      message:
        "bytes cannot hold a record: 'etag' of a 'part' record is not valid",
    })
    await writer.append([part(3)])
    const { state, damage } = readGood(sink.bytes)
    t.strictSame([...(state.upload?.parts.keys() ?? [])], [3])
    t.strictSame(damage, { lines: 0, refused: 0, missing: 0 })
  },
)

await t.test('after its end nothing is appended, nor what waits', async (t) => {
  const sink = new SlowSink()
  const writer = newWriter(sink)
  const first = writer.append([header()])
  const gate = await sink.next()
  const waiting = writer.append([upload('first')])
  writer.end()
  const refused = { code: 'PAWL_INVALID_STATE' }
  await t.rejects(writer.append([part(1)]), refused)
  gate.resolve()
  await first
  await t.rejects(waiting, refused)
  await t.rejects(writer.flush(), refused)
  t.equal(sink.inFlight, 0)
})

await t.test('nothing given is nothing written', async (t) => {
  const sink = new BytesSink()
  await newWriter(sink).append([])
  t.strictSame(sink.appends, [])
})

await t.test(
  'headers and uploads are written twice, all others once',
  async (t) => {
    const lines = linesOf(await logOf(story)).filter((line) => line !== '')
    const counts = new Map<string, number>()
    for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1)
    for (const [line, count] of counts) {
      const isCopied = / (log|upload) \{/.test(line)
      t.equal(count, isCopied ? 2 : 1, line.slice(17, 40))
    }
  },
)

await t.test('after a torn tail the first byte is LF', async (t) => {
  const log = await logOf([[header()], [upload('A')], [part(1), part(2)]])
  const torn = cut(log, log.length - 10)
  const more = await goOn(torn, [part(3)])
  t.equal(more[torn.length], 0x0a)
  const { state, damage } = readGood(more)
  t.strictSame([...(state.upload?.parts.keys() ?? [])], [1, 3])
  t.strictSame(damage, { lines: 1, refused: 0, missing: 0 })
})

await t.test('a log does not grow beyond what can be read', async (t) => {
  const log = await logOf([[header()], [upload('A')]])
  const sink = new BytesSink()
  const position = { ...endOf(readGood(log)), size: 64 * 1024 * 1024 - 10 }
  const writer = new LogWriter(sink, position, xxh64, realEnvironment)
  await t.rejects(writer.append([part(1)]), { code: 'PAWL_CHECKPOINT_IO' })
  t.strictSame(sink.appends, [])
})

await t.test(
  'parts linger until their time is over, or for what cannot',
  async (t) => {
    const clock = handClock()
    const sink = Object.assign(new BytesSink(), { linger: 1000 })
    const writer = new LogWriter(sink, startOf(LOG_ID), xxh64, clock)
    await writer.append([header(), upload('A')])
    const first = writer.append([part(1)])
    const second = writer.append([part(2)])
    await Promise.resolve()
    t.equal(sink.appends.length, 1, 'none is written at once')
    clock.advance(1000)
    await Promise.all([first, second])
    t.equal(sink.appends.length, 2, 'they are written together')
    const third = writer.append([part(3)])
    await writer.append([{ type: 'void', uploadId: 'A', reason: 'discard' }])
    await third
    t.equal(sink.appends.length, 3, 'with the record that cannot wait')
    const fourth = writer.append([part(4)])
    await writer.flush()
    await fourth
    t.equal(sink.appends.length, 4, 'with who waits for all of them')
    const last = writer.append([part(5)])
    writer.end()
    await t.rejects(last, { code: 'PAWL_INVALID_STATE' }, 'never, at the end')
    t.equal(sink.appends.length, 4)
  },
)
