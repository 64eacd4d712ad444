/**
 * Whatever is in a log: damaged bytes, and lines that somebody has written with a
 * hash that verifies. A run makes the object of its own bytes or fails with an
 * `UploadError`; the same call again comes to an end soon, unless the log is
 * refused and was not touched.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import t from 'tap'
import { readCheckpoint, UploadError } from '../../lib/index.js'
import { noise } from '../support/dev-store.js'
import { forge } from '../support/log-fixture.js'
import { randomFrom, seedFor } from '../support/seed.js'
import { key, part, smallUploads } from '../support/small-upload.js'
import { sized } from '../support/tier.js'

const count = sized({ fast: 20, more: 400, long: 4000 })
/** Until the same call has succeeded; each run that fails may leave one cure. */
const mostRuns = 4
/** Of one run: far more than any has to make. */
const mostRequests = 100

const seed = seedFor()
const random = randomFrom(seed)
const below = (n: number) => Math.floor(random() * n)
function oneOf<T>(items: readonly T[]): T {
  const item = items[below(items.length)]
  if (item === undefined) throw new Error('nothing to choose from')
  return item
}

/** Values that break readers, or what believes them. */
const nasty: readonly unknown[] = [
  null,
  true,
  '',
  0,
  -1,
  1,
  1.5,
  4096,
  1e21,
  Number.MAX_SAFE_INTEGER,
  '0',
  '-1',
  '18446744073709551615',
  '99999999999999999999999',
  '../../etc/passwd',
  'a\r\nx-evil: 1',
  'a\0b',
  '<Part>&amp;</Part>',
  '?uploadId=x&partNumber=1',
  '\u{1f600}\u0000\uffff',
  'x'.repeat(1025),
  'x'.repeat(60_000),
  'ab'.repeat(16),
  'ab'.repeat(32),
  [],
  [[1]],
  {},
  { __proto__: null, toString: 1, constructor: { prototype: 1 } },
]
const types = [
  'log',
  'intent',
  'upload',
  'part',
  'drop',
  'void',
  'completing',
  'refused',
  'done',
  'closed',
  'told',
  'later',
  'Later',
]

interface Line {
  seq: string
  type: string
  fields: Record<string, unknown>
}

function linesIn(log: Buffer): Line[] {
  return log
    .toString('latin1')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, seq = '', type = '', json = ''] =
        /^\S+ (\S+) (\S+) (.*)$/.exec(line) ?? []
      return { seq, type, fields: JSON.parse(json) as Line['fields'] }
    })
}

/** As this library writes it; hashes cover the upload ID of the epoch. */
function sealed(lines: readonly Line[]): Buffer {
  let logId = ''
  let epoch = ''
  return Buffer.concat(
    lines.map(({ seq, type, fields }) => {
      const named = fields['uploadId']
      const own = typeof named === 'string' ? named : epoch
      if (type === 'log' && typeof fields['logId'] === 'string') {
        logId = fields['logId']
      }
      if (type === 'upload') epoch = own
      const json = JSON.stringify(fields).replaceAll(
        /[^\u0020-\u007e]/g,
        (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
      const uploadId = type === 'log' ? '' : own
      return forge(`${seq} ${type} ${json}`, { logId, uploadId })
    }),
  )
}

/** What a log says, changed by somebody who knows how its hashes are made. */
function forged(log: Buffer): Buffer {
  const lines = linesIn(log)
  for (let left = 1 + below(3); left > 0; left--) {
    const at = below(lines.length)
    const line = lines[at]
    if (line === undefined) continue
    const names = Object.keys(line.fields)
    // All of it was taken away before.
    if (names.length === 0) continue
    const change: Line = { ...line, fields: { ...line.fields } }
    switch (below(7)) {
      case 0:
      case 1:
      case 2:
        change.fields[oneOf(names)] = oneOf(nasty)
        break
      case 3:
        delete change.fields[oneOf(names)]
        break
      case 4:
        change.type = oneOf(types)
        break
      case 5:
        change.seq = oneOf(['0', '1', '-1', '1e3', '99999999', 'x', '7'])
        break
      default: {
        // The fields of another line, under this one's type.
        const other = oneOf(lines)
        change.fields = { ...line.fields, ...other.fields }
      }
    }
    if (below(3) === 0) lines.splice(below(lines.length + 1), 0, change)
    else lines[at] = change
  }
  return sealed(lines)
}

/** Bytes changed, taken away, doubled or put in. */
function damaged(log: Buffer): Buffer {
  let bytes = log
  for (let left = 1 + below(4); left > 0; left--) {
    const at = below(bytes.length + 1)
    const length = oneOf([1, 8, 100, 1000])
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
    const some = Buffer.from(oneOf(['\n', '\0', ' ', '{', '\r\n', 'x']))
    bytes = oneOf([
      before,
      after,
      Buffer.concat([before, some, after]),
      Buffer.concat([before, some, after.subarray(1)]),
      Buffer.concat([before, after.subarray(length)]),
      Buffer.concat([before, after.subarray(0, length), after]),
      Buffer.concat([before, Buffer.alloc(length), after.subarray(length)]),
      Buffer.concat([after, before]),
    ])
  }
  return bytes
}

/** A log that is refused, and stays as it is for whoever can say why. */
const refused = new Set([
  'PAWL_NOT_A_CHECKPOINT',
  'PAWL_CHECKPOINT_VERSION',
  'PAWL_CHECKPOINT_MISMATCH',
])

await t.test(`${count} mutated logs`, async (t) => {
  t.comment(`PAWL_SEED=${seed}`)
  const dev = await smallUploads(t)
  const { server, log } = dev
  const source = noise(4 * part + 100)
  const outcomes = new Map<string, number>()
  const seen = (what: string) =>
    void outcomes.set(what, (outcomes.get(what) ?? 0) + 1)

  for (let index = 0; index < count; index++) {
    await rm(log, { force: true })
    // What ends the first run, and so what its log comes to.
    const end = oneOf(['UploadPart', 'CompleteMultipartUpload'] as const)
    const takesEffect = below(2) === 0
    server.setFault(({ operation, partNumber = 9 }) =>
      operation === end && partNumber > 3
        ? {
            kind: 'status',
            status: 403,
            code: 'AccessDenied',
            apply: takesEffect,
          }
        : undefined,
    )
    await dev.fail(source)
    server.setFault(undefined)
    const whole = await readFile(log)
    const mutated = below(3) === 0 ? damaged(whole) : forged(whole)
    await writeFile(log, mutated)
    const words = `${index}, PAWL_SEED=${seed}: ${JSON.stringify(mutated.toString('latin1').slice(0, 3000))}`

    await readCheckpoint(log).catch((error: unknown) => {
      if (!(error instanceof UploadError)) t.fail(`read: ${words}`, { error })
    })
    if (!mutated.equals(await readFile(log))) t.fail(`reading wrote: ${words}`)
    const codes: string[] = []
    while (codes.length < mostRuns && !codes.includes('done')) {
      const before = server.requests.length
      const error: unknown = await dev.run(source).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      // A log may say that parts are of one byte: as many are sent as there may be.
      const isCutSmall =
        error instanceof UploadError && error.code === 'PAWL_TOO_MANY_PARTS'
      const most = mostRequests + (isCutSmall ? 10_000 : 0)
      if (server.requests.length - before > most) {
        t.fail(`${server.requests.length - before} requests: ${words}`)
      }
      if (error !== undefined && !(error instanceof UploadError)) {
        t.fail(`no UploadError: ${words}`, { error })
        break
      }
      codes.push(error?.code ?? 'done')
      if (error === undefined && !source.equals(await dev.object(key))) {
        t.fail(`another object: ${words}`)
      }
      if (error !== undefined && refused.has(error.code)) break
    }
    const last = codes.at(-1) ?? ''
    if (refused.has(last)) {
      if (!mutated.equals(await readFile(log))) t.fail(`it changed: ${words}`)
    } else if (last !== 'done') {
      t.fail(`${codes.join(', ')}: ${words}`)
    }
    seen(codes.join(', '))
  }
  t.comment(JSON.stringify(Object.fromEntries(outcomes)))
  // Logs of both fates were among them, or nothing was tried.
  const untouched = [...refused].map((code) => outcomes.get(code) ?? 0)
  const least = Math.floor(count / 100)
  t.ok((outcomes.get('done') ?? 0) > count / 4)
  t.ok(untouched.reduce((sum, times) => sum + times) >= least)
})
