import { readFileSync } from 'node:fs'
import t from 'tap'
import { encodeRecord } from '../../lib/checkpoint/record.js'
import { linesOf, logOf, readGood, story } from '../support/log-fixture.js'

const page = readFileSync(
  new URL('../../lib/checkpoint/FORMAT.md', import.meta.url),
  'utf8',
)
const [, example = ''] = /```log\n([^]*?)```/.exec(page) ?? []

await t.test('the example is a log that says what the page says', async (t) => {
  const bytes = Buffer.from(example)
  const { state, damage, nextSeq, goodLength } = readGood(bytes)
  t.strictSame(damage, { lines: 0, refused: 0, missing: 0 })
  t.equal(goodLength, bytes.length)
  t.equal(nextSeq, 8)
  t.match(state.upload, {
    uploadId: '0004B9894A22E5B1888A1E29F823****',
    completing: { parts: 2, size: 8_389_842 },
    done: { size: 8_389_842 },
  })
  t.strictSame([...(state.upload?.parts.keys() ?? [])], [1, 2])
})

await t.test('the example is written as this version writes', async (t) => {
  const { state } = readGood(Buffer.from(example))
  const { header, intents, upload } = state
  if (upload?.completing === undefined || upload.done === undefined) {
    t.fail('the example is not complete')
    return
  }
  const { uploadId, partSize, optionsDigest, time, serverDate } = upload
  const written = await logOf([
    [header, ...intents],
    [{ type: 'upload', uploadId, partSize, optionsDigest, time, serverDate }],
    [...upload.parts.values()],
    [upload.completing],
    [upload.done],
  ])
  t.strictSame(linesOf(written), linesOf(Buffer.from(example)))
})

await t.test('every type and field that is written is in the table', (t) => {
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  for (const record of story.flat()) {
    const row = rows.filter((line) => line.startsWith(`| \`${record.type}\``))
    for (const name of Object.keys(JSON.parse(encodeRecord(record)))) {
      t.ok(
        row.some((line) => line.includes(`\`${name}\``)),
        `${record.type} ${name}`,
      )
    }
  }
  t.end()
})
