import { execFileSync } from 'node:child_process'
import { symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { fileCheckpoint } from '../../lib/checkpoint/file-checkpoint.js'
import { readCheckpoint } from '../../lib/checkpoint/read-checkpoint.js'
import type { LogRecord } from '../../lib/checkpoint/record.js'
import {
  DIGEST,
  PART,
  header,
  logOf,
  part,
  setByte,
  upload,
} from '../support/log-fixture.js'
import { fingerprint } from '../support/test-disk.js'

const completing: LogRecord = {
  type: 'completing',
  parts: 2,
  size: 2 * PART,
  etagsDigest: DIGEST,
}
const done: LogRecord = { type: 'done', etag: 'E', size: 2 * PART }
const voided: LogRecord = { type: 'void', uploadId: 'U', reason: 'discard' }

async function summaryOf(t: Test, ...records: LogRecord[]) {
  const path = join(t.testdir(), 'log.pawl')
  writeFileSync(path, await logOf([[header()], records]))
  return readCheckpoint(path)
}

await t.test(
  'a log in use says how far it is, and is not changed',
  async (t) => {
    const path = join(t.testdir(), 'log.pawl')
    const checkpoint = fileCheckpoint(path)
    await checkpoint.open()
    const bytes = await logOf([
      [header()],
      [upload('U')],
      [part(1), part(2), part(4, { size: 10 })],
    ])
    await checkpoint.append(bytes)
    const before = fingerprint(path)
    t.strictSame(await readCheckpoint(path), {
      path,
      state: 'uploading',
      store: 'oss:cn-hangzhou/examplebucket',
      bucket: 'examplebucket',
      key: 'backups/db.dump.gz',
      uploadId: 'U',
      partSize: PART,
      parts: 3,
      bytesStored: 2 * PART + 10,
      bytesContiguous: 2 * PART,
      time: 1_700_000_001_000,
      runs: 1,
      unclosed: [],
      damagedRecords: 0,
      size: bytes.length,
    })
    t.strictSame(fingerprint(path), before)
    await checkpoint.close()
  },
)

await t.test('each state of an upload has its word', async (t) => {
  const put: LogRecord = { type: 'completing', put: true, size: 1 }
  const sent: LogRecord = { ...completing, sentDigest: DIGEST }
  const refused: LogRecord = { type: 'refused', sentDigest: DIGEST }
  const drop: LogRecord = { type: 'drop', number: 1, reason: 'not-as-sent' }
  const cases: [state: string, ...records: LogRecord[]][] = [
    ['empty'],
    ['empty', { type: 'intent', time: 1 }],
    ['uploading', upload('U')],
    ['uploading', upload('U'), part(1, { size: 5 })],
    ['completing', upload('U'), part(1), part(2), completing],
    ['uploading', upload('U'), part(1), part(2), sent, refused],
    ['completing', upload('U'), part(1), part(2), sent, refused, sent],
    ['completing', upload('U'), part(1), part(2), sent, sent, refused],
    ['uploading', upload('U'), part(1), part(2), completing, drop],
    ['uploading', upload('U'), part(1), part(2), completing, drop, part(1)],
    ['completing', upload('U'), part(1), part(2), completing, drop, sent],
    ['completing', put],
    ['done', put, { ...done, put: true, size: 1 }],
    ['done', upload('U'), completing, done],
    ['discarded', upload('U'), part(1), voided],
  ]
  for (const [state, ...records] of cases) {
    t.equal((await summaryOf(t, ...records)).state, state)
  }
  const given = await summaryOf(t, upload('U'), voided)
  t.match(given, { reason: 'discard', unclosed: ['U'] })
})

await t.test('a last part ends the run of stored parts', async (t) => {
  const { bytesContiguous } = await summaryOf(
    t,
    upload('U'),
    part(1, { size: 5 }),
    part(2),
  )
  t.equal(bytesContiguous, 5)
})

await t.test(
  'damage is counted, and a log without header is said',
  async (t) => {
    const path = join(t.testdir(), 'log.pawl')
    const bytes = await logOf([[header()], [upload('U')], [part(1), part(2)]])
    writeFileSync(path, setByte(bytes, bytes.length - 50, 0))
    t.match(await readCheckpoint(path), { parts: 1, damagedRecords: 1 })
    writeFileSync(path, bytes.subarray(0, 40))
    t.match(await readCheckpoint(path), { state: 'damaged', parts: 0 })
    writeFileSync(path, '')
    t.match(await readCheckpoint(path), { state: 'empty', size: 0 })
  },
)

await t.test('what is not a log is refused', async (t) => {
  const dir = t.testdir({ dump: 'some text' })
  const code = 'PAWL_NOT_A_CHECKPOINT'
  await t.rejects(readCheckpoint(join(dir, 'dump')), {
    code,
    message: new RegExp(`^${join(dir, 'dump')} is not a checkpoint log`),
  })
  await t.rejects(readCheckpoint(dir), { code })
  truncateSync(join(dir, 'dump'), 64 * 1024 * 1024 + 1)
  await t.rejects(readCheckpoint(join(dir, 'dump')), { code })
  await t.rejects(readCheckpoint(join(dir, 'none')), {
    code: 'PAWL_CHECKPOINT_IO',
    message: /there is no such file/,
  })
})

await t.test(
  'a link is followed, a fifo is not waited for',
  { skip: process.platform === 'win32' },
  async (t) => {
    const path = join(t.testdir(), 'log.pawl')
    writeFileSync(path, await logOf([[header()]]))
    symlinkSync(path, `${path}.link`)
    t.equal((await readCheckpoint(`${path}.link`)).state, 'empty')
    execFileSync('mkfifo', [`${path}.fifo`])
    await t.rejects(readCheckpoint(`${path}.fifo`), {
      code: 'PAWL_CHECKPOINT_UNSAFE',
    })
  },
)
