import t from 'tap'
import {
  encodeQuery,
  percentEncode,
  percentEncodeKey,
} from '../../lib/store/percent-encode.js'

const cases: [text: string, encoded: string, asKey?: string][] = [
  ['', ''],
  ['AZaz09-_.~', 'AZaz09-_.~'],
  ["!'()*", '%21%27%28%29%2A'],
  ['a b+c', 'a%20b%2Bc'],
  ['%41', '%2541'],
  ['a/b//c', 'a%2Fb%2F%2Fc', 'a/b//c'],
  ['../.', '..%2F.', '../.'],
  ['报告', '%E6%8A%A5%E5%91%8A'],
  ['\r\n\u0000', '%0D%0A%00'],
  ['😀', '%F0%9F%98%80'],
]

for (const [text, encoded, asKey = encoded] of cases) {
  await t.test(`${JSON.stringify(text)} is encoded once`, async (t) => {
    t.equal(percentEncode(text), encoded)
    t.equal(percentEncodeKey(text), asKey)
    t.equal(decodeURIComponent(encoded), text)
  })
}

await t.test('half a surrogate pair is refused', async (t) => {
  t.throws(() => percentEncode('a\ud83d'), { code: 'PAWL_INVALID_OPTION' })
  t.throws(() => percentEncodeKey('\ude00'), { code: 'PAWL_INVALID_OPTION' })
})

await t.test('a query sorts by encoded name, then by value', async (t) => {
  const query = [
    ['param1', 'b'],
    ['a-b', '1'],
    ['+p', ''],
    ['param1', 'a'],
    ['a', '2'],
    ['|p', 'x y'],
  ] as const
  t.equal(encodeQuery(query, ''), '%2Bp&%7Cp=x%20y&a=2&a-b=1&param1=a&param1=b')
  t.match(encodeQuery(query, '='), /^%2Bp=&/)
  t.equal(encodeQuery([], ''), '')
})
