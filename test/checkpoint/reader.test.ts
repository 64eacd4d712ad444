import t from 'tap'
import { readLog } from '../../lib/checkpoint/reader.js'
import {
  xxh64,
  LOG_ID,
  cut,
  forge,
  header,
  join,
  linesOf,
  logOf,
  part,
  read,
  readGood,
  setByte,
  story,
  upload,
} from '../support/log-fixture.js'

const bytes = await logOf(story)

await t.test('a log adds up to what its records say', (t) => {
  const { state, damage, tornTail, nextSeq, goodLength, size } = readGood(bytes)
  t.strictSame(damage, { lines: 0, refused: 0, missing: 0 })
  t.equal(tornTail, false)
  t.equal(nextSeq, story.flat().length + 1)
  t.equal(goodLength, bytes.length)
  t.equal(size, bytes.length)
  t.equal(state.header.run, 2)
  t.strictSame([...state.runs.keys()], [1, 2])
  t.equal(state.upload?.uploadId, 'SECOND/ü')
  t.equal(state.upload?.parts.size, 3)
  t.end()
})

await t.test('bytes in front of others are read as well', (t) => {
  const around = Buffer.concat([Buffer.from('xx'), bytes, Buffer.from('yy')])
  const view = new Uint8Array(
    around.buffer,
    around.byteOffset + 2,
    bytes.length,
  )
  t.strictSame(read(view), read(bytes))
  t.end()
})

await t.test('no bytes are an empty log', (t) => {
  t.strictSame(read(Buffer.alloc(0)), { kind: 'empty' })
  t.end()
})

await t.test('the beginning of a header without its end is damaged', (t) => {
  const line = bytes.subarray(0, bytes.indexOf('\n'))
  for (let length = 1; length < line.length; length++) {
    const { kind } = read(cut(bytes, length))
    if (kind !== 'damaged') t.fail(`${length} bytes are ${kind}`)
  }
  t.equal(read(cut(bytes, line.length)).kind, 'log', 'it lacks only its LF')
  t.end()
})

await t.test('with the magic but no header left it is damaged', (t) => {
  const lines = linesOf(bytes)
  const broken = lines.map((line) =>
    line.includes(' log ')
      ? line.replace('examplebucket', 'eXamplebucket')
      : line,
  )
  t.equal(read(join(broken)).kind, 'damaged')
  const wrong = header({ partSize: -1 })
  const forged = forge(`1 log ${JSON.stringify({ ...wrong, type: undefined })}`)
  t.equal(read(forged).kind, 'damaged', 'verified, but says what cannot be')
  t.end()
})

await t.test('a first copy that is lost is made good by the second', (t) => {
  const length = bytes.indexOf('\n') + 1
  for (const damaged of [
    setByte(bytes, 3, 0),
    setByte(bytes, length - 1, 0x20),
    setByte(bytes, 100, 0x0a),
    setByte(setByte(bytes, 0, 0x0a), 200, 0x0a),
  ]) {
    t.strictSame(readGood(damaged).state, readGood(bytes).state)
  }
  t.end()
})

const foreign: Record<string, Buffer> = {
  'a dump': Buffer.from('-- PostgreSQL database dump\n\nSET x = 1;\n'),
  'a gzip': Buffer.from('1f8b0800000000000003', 'hex'),
  zeros: Buffer.alloc(4096),
  'a checksum file': Buffer.from(`${'0'.repeat(32)}  file\n`),
  'a longer hash': Buffer.from('0123456789abcdef0'),
  'an LF': Buffer.from('\n'),
  'a log behind an LF': Buffer.concat([Buffer.from('\n'), bytes]),
  'a log in an archive': Buffer.concat([
    Buffer.alloc(512, 'db.dump.pawl\0'),
    bytes,
  ]),
  'a log in a log of another program': Buffer.concat([
    Buffer.from('started\n'),
    bytes,
  ]),
  'half a log': Buffer.from(bytes.subarray(1000)),
  'other text before the second copy': Buffer.concat([
    Buffer.alloc(bytes.indexOf('\n') + 1, '-'),
    bytes.subarray(bytes.indexOf('\n') + 1),
  ]),
  'a line of ours without its header': forge('1 intent {"time":1}'),
}

for (const [what, content] of Object.entries(foreign)) {
  await t.test(`${what} is not a log`, (t) => {
    t.throws(() => read(content), { code: 'PAWL_NOT_A_CHECKPOINT' })
    t.end()
  })
}

await t.test('64 MiB are the limit', (t) => {
  const huge = Buffer.alloc(64 * 1024 * 1024 + 1)
  bytes.copy(huge)
  t.throws(() => read(huge), { code: 'PAWL_NOT_A_CHECKPOINT' })
  t.equal(read(huge.subarray(0, -1)).kind, 'log')
  t.end()
})

await t.test('a log that went through an editor is still a log', (t) => {
  const crlf = Buffer.from(
    bytes.toString('latin1').replaceAll('\n', '\r\n'),
    'latin1',
  )
  const { state, damage } = readGood(crlf)
  t.strictSame(state, readGood(bytes).state)
  t.strictSame(damage, { lines: 0, refused: 0, missing: 0 })
  t.end()
})

await t.test(
  'types not known: lower case is passed over, others are not',
  (t) => {
    const uploadId = 'SECOND/ü'
    const { nextSeq } = readGood(bytes)
    const minor = forge(`${nextSeq} gossip {"a":1}`, { uploadId })
    const { state, damage, ...rest } = readGood(Buffer.concat([bytes, minor]))
    t.strictSame(state, readGood(bytes).state)
    t.strictSame(damage, { lines: 0, refused: 0, missing: 0 })
    t.equal(rest.nextSeq, nextSeq + 1)

    const major = forge(`${nextSeq} Rewrite {"a":1}`, { uploadId })
    t.throws(() => read(Buffer.concat([bytes, major])), {
      code: 'PAWL_CHECKPOINT_VERSION',
    })
    const broken = setByte(major, 0, 0x7a)
    t.equal(readGood(Buffer.concat([bytes, broken])).damage.lines, 1)
    t.end()
  },
)

await t.test('a header in a newer format is refused, if it verifies', (t) => {
  const tail = `1 log {"pawl":2,"logId":"${LOG_ID}","all":"new"}`
  const newer = forge(tail)
  t.throws(() => read(newer), { code: 'PAWL_CHECKPOINT_VERSION' })
  t.throws(() => read(Buffer.concat([bytes, newer])), {
    code: 'PAWL_CHECKPOINT_VERSION',
  })
  t.equal(read(setByte(newer, 60, 0x20)).kind, 'damaged')
  t.end()
})

await t.test('lines that are too long or not lines at all are damage', (t) => {
  for (const line of [
    'x'.repeat(70_000),
    `${'0'.repeat(16)} 5 part {"a":"${'y'.repeat(66_000)}"}`,
    `${'0'.repeat(16)} 05 part {}`,
    `${'0'.repeat(16)} 1234567890123456 part {}`,
    `${'0'.repeat(16)} 5 part`,
    `${'0'.repeat(16)} 5 pa-rt {}`,
    `${'0'.repeat(16)} 5 ${'p'.repeat(33)} {}`,
    `${'0'.repeat(16)}  {}`,
    '0',
    '\0'.repeat(9),
  ]) {
    const { damage } = readGood(
      Buffer.concat([bytes, Buffer.from(`${line}\n`)]),
    )
    t.strictSame(damage, { lines: 1, refused: 0, missing: 0 })
  }
  t.end()
})

await t.test('10,000 parts come back', async (t) => {
  const parts = Array.from({ length: 10_000 }, (_, index) => part(index + 1))
  const log = await logOf([[header()], [upload('U')], parts])
  const { state, damage } = readGood(log)
  t.strictSame(damage, { lines: 0, refused: 0, missing: 0 })
  t.strictSame([...(state.upload?.parts.values() ?? [])], parts)
})

await t.test('zeros in place of a log are damage where we name files', (t) => {
  const zeros = Buffer.alloc(5000)
  const headless = Buffer.concat([Buffer.alloc(4096), Buffer.from('rest')])
  const made = `/logs/db.dump.${'0123456789abcdef'.repeat(2)}.pawl`
  for (const bytes of [zeros, headless]) {
    t.same(readLog(bytes, xxh64, made), { kind: 'damaged' })
    t.same(readLog(bytes, xxh64, './db.dump.pawl'), { kind: 'damaged' })
    t.throws(() => readLog(bytes, xxh64, './disk.img'), {
      code: 'PAWL_NOT_A_CHECKPOINT',
    })
  }
  const other = Buffer.from('something else')
  t.same(readLog(other, xxh64, made), { kind: 'damaged' })
  t.throws(() => readLog(other, xxh64, './db.dump.pawl'), {
    code: 'PAWL_NOT_A_CHECKPOINT',
  })
  t.end()
})
