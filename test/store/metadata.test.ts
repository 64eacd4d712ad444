import t from 'tap'
import { HeaderBag } from '../../lib/store/header-values.js'
import {
  fitsMark,
  markHeaders,
  readMark,
  setMetadata,
} from '../../lib/store/metadata.js'
import { ossMetadata, ossObjectHeaders } from '../../lib/store/oss/headers.js'
import { s3Metadata, s3ObjectHeaders } from '../../lib/store/s3/headers.js'

const mark = '0123456789abcdef0123456789abcdef'
const services = [
  ['OSS', ossMetadata, ossObjectHeaders] as const,
  [
    'S3',
    s3Metadata,
    (object: Parameters<typeof ossObjectHeaders>[0]) =>
      s3ObjectHeaders(object, {}),
  ] as const,
]

for (const [service, rules, objectHeaders] of services) {
  await t.test(`${service}: a mark among the options is dropped`, async (t) => {
    for (const name of ['pawl', 'PAWL', 'Pawl']) {
      t.strictSame(
        objectHeaders({
          metadata: { [name]: mark, author: 'alice' },
          headers: { [`${rules.prefix}${name}`]: mark },
        }).fixed,
        { [`${rules.prefix}author`]: 'alice' },
        name,
      )
    }
    // Not even its value is looked at.
    t.doesNotThrow(() => objectHeaders({ metadata: { pawl: 'é\n' } }))
  })

  await t.test(`${service}: a mark fits up to the last byte`, async (t) => {
    const own = rules.prefix.length + 'pawl'.length + 32
    const room = rules.maxBytes - own - rules.prefix.length - 1
    t.ok(fitsMark(undefined, rules))
    t.ok(fitsMark({ a: 'x'.repeat(room) }, rules))
    t.notOk(fitsMark({ a: 'x'.repeat(room + 1) }, rules))
    const old = { pawl: 'x'.repeat(rules.maxBytes) }
    t.ok(fitsMark({ ...old, a: 'x'.repeat(room) }, rules), 'without an old one')
  })

  await t.test(`${service}: metadata up to the last byte`, async (t) => {
    const name = rules.countsPrefix ? rules.prefix.length + 1 : 1
    const set = (length: number) => () =>
      setMetadata(new HeaderBag(), { a: 'x'.repeat(length) }, rules)
    t.doesNotThrow(set(rules.maxBytes - name))
    t.throws(set(rules.maxBytes - name + 1), { code: 'PAWL_INVALID_OPTION' })
  })

  await t.test(`${service}: the header of a mark`, async (t) => {
    t.strictSame(markHeaders(mark, rules), { [`${rules.prefix}pawl`]: mark })
    t.strictSame(markHeaders(undefined, rules), {})
    for (const bad of ['', mark.toUpperCase(), `${mark}0`, 'x'.repeat(32)]) {
      t.throws(() => markHeaders(bad, rules), { code: 'PAWL_INVALID_OPTION' })
    }
  })
}

await t.test('metadata is an object of names and values', async (t) => {
  const others: unknown[] = ['x', ['a'], new Map([['a', 'b']]), 1, () => 1]
  for (const metadata of others) {
    t.throws(
      () => ossObjectHeaders({ metadata: metadata as Record<string, string> }),
      { code: 'PAWL_INVALID_OPTION', message: /^object\.metadata: expected/ },
      String(metadata),
    )
  }
  t.doesNotThrow(() =>
    ossObjectHeaders({
      metadata: Object.create(null) as Record<string, string>,
    }),
  )
})

await t.test('what is read as a mark', async (t) => {
  t.equal(readMark(mark), mark)
  const others = [
    undefined,
    '',
    ` ${mark}`,
    `${mark}, ${mark}`,
    mark.toUpperCase(),
    mark.slice(1),
  ]
  for (const other of others) t.equal(readMark(other), undefined, `${other}`)
})
