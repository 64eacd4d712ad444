import t from 'tap'
import { readEtag, readUploadId, unquotedEtag } from '../../lib/store/fields.js'

const refused = { name: 'StoreError', kind: 'response' }

await t.test('an ETag as the server spelled it', async (t) => {
  t.equal(readEtag('"abc-3"'), '"abc-3"')
  t.equal(readEtag('abc'), 'abc')
  for (const bad of [undefined, '', 'é', 'a\nb', 'x'.repeat(129)]) {
    t.throws(() => readEtag(bad), refused)
  }
})

await t.test('one that a proxy has weakened', async (t) => {
  t.equal(readEtag('W/"abc-3"'), '"abc-3"')
  t.equal(unquotedEtag('W/"abc-3"'), 'abc-3')
  t.equal(readEtag('W/abc'), 'W/abc', 'without quotes it is another name')
})

await t.test('an ETag without quotes', async (t) => {
  t.equal(unquotedEtag('"abc"'), 'abc')
  t.equal(unquotedEtag('abc'), 'abc')
  t.equal(unquotedEtag(undefined), '')
  t.equal(unquotedEtag(''), '')
})

await t.test('an upload ID is text, and short', async (t) => {
  for (const good of ['U', 'a/b+c==', '日本', 'x'.repeat(1024)]) {
    t.equal(readUploadId(good), good)
  }
  const bad = [
    undefined,
    '',
    'a\u0000b',
    'a\u007fb',
    '\ud800',
    'x'.repeat(1025),
  ]
  for (const text of bad) t.throws(() => readUploadId(text), refused)
})
