import t from 'tap'
import { verifyLines } from '../../lib/checkpoint/verify-lines.js'
import {
  LOG_ID,
  cut,
  forge,
  goOn,
  header,
  join,
  linesOf,
  logOf,
  newHasher,
  part,
  read,
  readGood,
  setByte,
  story,
  upload,
} from '../support/log-fixture.js'
import { sized } from '../support/tier.js'

const bytes = await logOf(story)
const hasher = newHasher()
const firstLine = bytes.indexOf('\n') + 1

/** What was written: by number, the epoch and the record in its JSON. */
const written = new Map<number, string>()
let epoch = ''
for (const [index, record] of story.flat().entries()) {
  if (record.type === 'upload') epoch = record.uploadId
  written.set(index + 1, said(record, epoch))
}

function said(record: { type: string } | undefined, inEpoch = ''): string {
  const isBound =
    record !== undefined && record.type !== 'log' && !('uploadId' in record)
  const fields = Object.entries(record ?? {}).toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  )
  return JSON.stringify([isBound ? inEpoch : '', fields])
}

/** What is wrong with what comes back of damaged bytes; undefined if nothing. */
function lie(damaged: Buffer): string | undefined {
  const { entries, goodLength } = verifyLines(damaged, LOG_ID, hasher)
  for (const { seq, record, epoch: inEpoch } of entries) {
    const back = said(record, inEpoch)
    if (written.get(seq) !== back) return `record ${seq} came back as ${back}`
  }
  if (goodLength > damaged.length) return 'good length beyond the end'
  return undefined
}

function numbersIn(damaged: Buffer): Set<number> {
  const { entries } = verifyLines(damaged, LOG_ID, hasher)
  return new Set(entries.map(({ seq }) => seq))
}

t.equal(lie(bytes), undefined, 'the whole log says what was written')
t.equal(numbersIn(bytes).size, written.size)

/** What becomes of a byte. */
const damages = sized<((byte: number) => number)[]>({
  fast: [(byte) => byte ^ 1, () => 0x0a],
  more: everyDamage(),
  long: everyDamage(),
})

function everyDamage(): ((byte: number) => number)[] {
  return [
    (byte) => byte ^ 1,
    (byte) => byte ^ 0x20,
    (byte) => byte ^ 0xff,
    () => 0,
    () => 0x0a,
    () => 0x0d,
  ]
}

await t.test(
  'a flipped byte costs its line, at most two, never a copy',
  (t) => {
    const problems: string[] = []
    for (let at = 0; at < bytes.length; at++) {
      const old = bytes[at] ?? 0
      for (const damage of damages) {
        const value = damage(old)
        if (value === old) continue
        const damaged = setByte(bytes, at, value)
        const problem = lie(damaged)
        if (problem !== undefined) problems.push(`${at} ${value}: ${problem}`)
        const numbers = numbersIn(damaged)
        if (numbers.size < written.size - 2)
          problems.push(`${at}: too much lost`)
        for (const seq of [1, 3, 8, 10]) {
          if (!numbers.has(seq))
            problems.push(`${at}: both copies of ${seq} lost`)
        }
      }
      const reading = read(setByte(bytes, at, old ^ 4))
      if (reading.kind !== 'log')
        problems.push(`${at}: read as ${reading.kind}`)
    }
    t.strictSame(problems, [])
    t.end()
  },
)

await t.test(
  'a cut leaves what is before it, and writing goes on behind',
  async (t) => {
    const problems: string[] = []
    const ends = [...bytes.toString('latin1').matchAll(/\n/g)].map(
      ({ index }) => index + 1,
    )
    for (let length = 0; length <= bytes.length; length++) {
      const left = cut(bytes, length)
      const reading = read(left)
      if (length < firstLine - 1) {
        const kind = length === 0 ? 'empty' : 'damaged'
        if (reading.kind !== kind) problems.push(`${length}: ${reading.kind}`)
        continue
      }
      if (reading.kind !== 'log') {
        problems.push(`${length}: ${reading.kind}`)
        continue
      }
      const problem = lie(left)
      if (problem !== undefined) problems.push(`${length}: ${problem}`)
      // A line that lacks nothing but its LF counts.
      const good = ends.findLast((end) => end <= length + 1) ?? 0
      const isBlank = left[good - 1] === 0x0a && left[good - 2] === 0x0a
      if (reading.goodLength !== Math.min(good - (isBlank ? 1 : 0), length)) {
        problems.push(`${length}: good length ${reading.goodLength}`)
      }
      if (reading.tornTail !== (left.at(-1) !== 0x0a)) {
        problems.push(`${length}: torn tail ${reading.tornTail}`)
      }
      if (reading.damage.lines > 0)
        problems.push(`${length}: cut seen as damage`)

      const more = await goOn(left, [upload('THIRD'), part(1, { run: 7 })])
      const again = readGood(more)
      const isThere =
        again.state.upload?.uploadId === 'THIRD' &&
        again.state.upload.parts.get(1)?.run === 7
      if (!isThere) problems.push(`${length}: what was added is not there`)
      const before = numbersIn(left)
      const after = numbersIn(more)
      if (after.size !== before.size + 2) problems.push(`${length}: mixed up`)
    }
    t.strictSame(problems, [])
  },
)

await t.test('a run of zeros costs the lines that it touches', (t) => {
  const problems: string[] = []
  for (let at = firstLine; at < bytes.length; at += 13) {
    const damaged = Buffer.from(bytes)
    damaged.fill(0, at, Math.min(at + 600, bytes.length))
    const problem = lie(damaged)
    if (problem !== undefined) problems.push(`${at}: ${problem}`)
    if (read(damaged).kind !== 'log') problems.push(`${at}: not a log`)
  }
  t.strictSame(problems, [])

  const zeros = Buffer.alloc(5000)
  const { damage, tornTail } = readGood(Buffer.concat([bytes, zeros]))
  t.equal(tornTail, true)
  t.equal(damage.lines, 0, 'at the end it is a torn tail')
  const then = Buffer.concat([bytes, zeros, Buffer.from('\n')])
  t.equal(readGood(then).damage.lines, 1, 'further up it is one damaged line')
  t.end()
})

await t.test('lines written twice or in another order change nothing', (t) => {
  const lines = linesOf(bytes).filter((line) => line !== '')
  const plain = readGood(bytes)
  const [first = '', ...rest] = lines
  for (const order of [
    [first, ...rest.toReversed()],
    [first, ...rest.slice(9), ...rest.slice(0, 9)],
    [first, ...rest.flatMap((line) => [line, line]), ...rest],
  ]) {
    const { state, damage, nextSeq } = readGood(join([...order, '']))
    t.strictSame(state, plain.state)
    t.strictSame(damage, { lines: 0, refused: 0, missing: 0 })
    t.equal(nextSeq, plain.nextSeq)
  }
  t.end()
})

await t.test('records of another log do not verify', async (t) => {
  const other = await logOf(
    story.map((group) =>
      group.map((record) =>
        record.type === 'log'
          ? { ...record, logId: 'f'.repeat(32) }
          : record.type === 'part'
            ? { ...record, etag: '"of the other"' }
            : record,
      ),
    ),
    'f'.repeat(32),
  )
  const mixed = Buffer.concat([bytes, other])
  t.equal(lie(mixed), undefined)
  const { damage, state } = readGood(mixed)
  const lines = linesOf(other).filter((line) => line !== '').length
  t.equal(damage.lines, lines)
  t.strictSame(state, readGood(bytes).state)
})

await t.test(
  'a part of an earlier upload does not become one of a later',
  async (t) => {
    const old = await logOf([
      [header()],
      [upload('A')],
      [part(1, { etag: '"old"' }), part(2, { etag: '"old"' })],
    ])
    const now = await logOf([[header()], [upload('B')]])
    const oldParts = linesOf(old).filter((line) => line.includes(' part '))
    const { state, damage } = readGood(
      Buffer.concat([now, Buffer.from(`${oldParts.join('\n')}\n`)]),
    )
    t.equal(state.upload?.uploadId, 'B')
    t.equal(state.upload?.parts.size, 0)
    t.equal(damage.lines, 2)
  },
)

await t.test(
  'a part that another run added to the upload before is refused',
  async (t) => {
    const before = await logOf([[header()], [upload('A')]])
    const late = linesOf(
      await goOn(await goOn(before, [{ type: 'intent', time: 1 }]), [part(1)]),
    ).filter((line) => line.includes(' part '))
    const mixed = Buffer.concat([before, Buffer.from(`${late.join('\n')}\n`)])
    const { state, damage } = readGood(
      Buffer.concat([
        mixed,
        forge(
          `3 upload ${JSON.stringify({ ...upload('B'), type: undefined })}`,
          {
            uploadId: 'B',
          },
        ),
      ]),
    )
    t.equal(state.upload?.uploadId, 'B')
    t.equal(state.upload?.parts.size, 0)
    t.equal(damage.refused, 1)
  },
)

await t.test('a lost record is counted, and costs only itself', async (t) => {
  const log = await logOf([
    [header()],
    [upload('A')],
    [part(1), part(2), part(3)],
  ])
  const lines = linesOf(log).filter((line) => !line.includes('"number":2'))
  const { state, damage } = readGood(join(lines))
  t.strictSame([...(state.upload?.parts.keys() ?? [])], [1, 3])
  t.strictSame(damage, { lines: 0, refused: 0, missing: 1 })
})
