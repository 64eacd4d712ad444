import t from 'tap'
import { checkBucket, checkIdentity, checkKey } from '../../lib/store/names.js'

const oss = { maxKeyBytes: 1023, noLeadingSlash: true } as const
const s3 = { maxKeyBytes: 1024 }
const invalid = { code: 'PAWL_INVALID_OPTION' }

await t.test('keys that are legal', async (t) => {
  const keys = [
    'a',
    'a/../b//',
    '\u0001\r\n',
    'x'.repeat(1023),
    '报'.repeat(341),
  ]
  for (const key of keys) t.doesNotThrow(() => checkKey(key, oss))
  t.doesNotThrow(() => checkKey('/a', s3))
  t.doesNotThrow(() => checkKey('x'.repeat(1024), s3))
})

await t.test('keys that are not', async (t) => {
  const keys = ['', '/a', '\\a', 'x'.repeat(1024), '报'.repeat(342), '\ud800']
  for (const key of keys) t.throws(() => checkKey(key, oss), invalid)
  t.throws(() => checkKey('x'.repeat(1025), s3), invalid)
})

await t.test('names of places', async (t) => {
  t.equal(checkIdentity(undefined), undefined)
  for (const name of ['nas', 'Büro 日本', 'x'.repeat(1024)]) {
    t.equal(checkIdentity(name), name)
  }
  const bad = ['', 'a\nb', '\u202e', '\ud800', 'é'.repeat(513), 7, null]
  for (const name of bad) t.throws(() => checkIdentity(name), invalid)
})

await t.test('buckets', async (t) => {
  for (const name of ['abc', 'a-b-1', 'old_bucket', 'a.b.c', 'x'.repeat(63)]) {
    t.doesNotThrow(() => checkBucket(name), name)
  }
  const bad = [
    '',
    'ab',
    '-ab',
    'ab-',
    'a/b',
    'a b',
    'a..b',
    'x'.repeat(64),
    'a@b:c',
  ]
  for (const name of bad) t.throws(() => checkBucket(name), invalid, name)
})
