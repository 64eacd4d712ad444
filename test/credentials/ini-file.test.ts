import t from 'tap'
import { parseIni } from '../../lib/credentials/ini-file.js'

await t.test('values are what is written, whatever they hold', async (t) => {
  const rows: [written: string, value: string][] = [
    ['plain', 'plain'],
    ['a/b+c=', 'a/b+c='],
    ['"in quotes"', '"in quotes"'],
    ['semi;colon#hash', 'semi;colon#hash'],
    ['value # a comment', 'value'],
    ['value ; a comment', 'value'],
    ['true', 'true'],
    ['a.b.c', 'a.b.c'],
    ['"/opt/my prog" --key a=b', '"/opt/my prog" --key a=b'],
    ['', ''],
  ]
  for (const [written, value] of rows) {
    for (const end of ['\n', '\r\n']) {
      const text = `[s]${end}Key = ${written}${end}other=1${end}`
      t.equal(parseIni(text).get('s')?.get('key'), value, written)
      t.equal(parseIni(text).get('s')?.get('other'), '1', written)
    }
  }
})

await t.test('sections, comments and nested blocks', async (t) => {
  const file = parseIni(
    [
      '\uFEFF# a comment',
      'before = any section',
      '[ profile   dev.eu ] # which one',
      ';another = 1',
      'region = eu-central-1',
      's3 =',
      '  endpoint_url = http://127.0.0.1:1',
      '\tpart_size = 8MB',
      'output = json',
      '[profile "quoted"]',
      'a = 1',
      '[__proto__]',
      'polluted = yes',
      '[profile dev.eu]',
      'later = 2',
      'no pair',
    ].join('\n'),
  )
  t.same([...file.keys()], ['profile dev.eu', 'profile quoted', '__proto__'])
  t.same(Object.fromEntries(file.get('profile dev.eu') ?? []), {
    region: 'eu-central-1',
    s3: '',
    's3.endpoint_url': 'http://127.0.0.1:1',
    's3.part_size': '8MB',
    output: 'json',
    later: '2',
  })
  t.equal(Reflect.get({}, 'polluted'), undefined)
})
