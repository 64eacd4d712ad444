import t from 'tap'
import {
  childrenOf,
  escapeXml,
  parseXml,
  rawText,
  trimmedText,
  tagsOfPage,
} from '../../lib/store/xml.js'
import { loadXmlParser } from '../../lib/store/xml-parser.js'

await loadXmlParser()

function root(xml: string) {
  return parseXml(Buffer.from(xml), ['R']).element
}

const text = (inner: string) => rawText(root(`<R><V>${inner}</V></R>`), 'V')

await t.test('values stay the text they were', async (t) => {
  for (const value of [
    '0004098943221888',
    '1e5',
    '0x10',
    'true',
    ' a ',
    '-0',
  ]) {
    t.equal(text(value), value)
  }
  t.equal(trimmedText(root('<R><V>\n a b \n</V></R>'), 'V'), 'a b')
  t.equal(text(''), '')
  t.equal(rawText(root('<R><V/></R>'), 'V'), '')
  t.equal(rawText(root('<R></R>'), 'V'), undefined)
  t.equal(rawText(root('<R/>'), 'V'), undefined)
  t.equal(rawText(root('<R> </R>'), 'V'), undefined)
})

await t.test(
  'namespaces, prefixes, a declaration and white space',
  async (t) => {
    const xml =
      '\n\n \ufeff<?xml version="1.0" encoding="UTF-8"?>\n' +
      '<s:R xmlns:s="http://s3.amazonaws.com/doc/2006-03-01/"><s:V>x</s:V></s:R>'
    t.equal(rawText(root(xml), 'V'), 'x')
  },
)

await t.test(
  'OSS with the namespace of its documents, and without',
  async (t) => {
    const documented = ' xmlns="http://doc.oss-cn-hangzhou.aliyuncs.com"'
    for (const namespace of ['', documented]) {
      const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<R${namespace}><V>x</V></R>`
      t.equal(rawText(root(xml), 'V'), 'x')
    }
  },
)

await t.test('predefined entities and references to characters', async (t) => {
  t.equal(text('&lt;&gt;&amp;&quot;&apos;'), `<>&"'`)
  t.equal(text('&#65;&#x42;&#x1F600;&#10;'), 'AB😀\n')
  t.equal(text('&amp;lt;'), '&lt;', 'decoded once')
})

await t.test('none, one and many', async (t) => {
  const parts = (xml: string) =>
    childrenOf(root(xml), 'P').map((part) => trimmedText(part, 'N'))
  t.strictSame(parts('<R></R>'), [])
  t.strictSame(parts('<R><P><N>1</N></P></R>'), ['1'])
  t.strictSame(parts('<R><P><N>1</N></P><P/><P><N>3</N></P></R>'), [
    '1',
    undefined,
    '3',
  ])
})

const deep = (n: number) => '<R>'.repeat(n) + '</R>'.repeat(n)

const refused: Record<string, string> = {
  nothing: '',
  HTML: '<html><body><p>502 Bad Gateway<br></body></html>',
  'well-formed HTML': '<html><body>no</body></html>',
  text: 'upstream connect error',
  JSON: '{"Code":"x"}',
  'a cut document': '<R><V>1</V><V>2',
  'a cut tag': '<R><V>1</V',
  'crossed tags': '<R><V>1</R></V>',
  'a document type': '<!DOCTYPE R><R><V>1</V></R>',
  'a document type after the declaration':
    '<?xml version="1.0"?>\n<!doctype R [<!ENTITY e "x">]><R><V>&e;</V></R>',
  'another root': '<Error><Code>x</Code></Error>',
  'seventeen levels and more': deep(40),
  'a prototype as root': '<__proto__><V>1</V></__proto__>',
  'text as root': '<R>text</R>',
}

for (const [name, xml] of Object.entries(refused)) {
  await t.test(`${name} is refused`, async (t) => {
    t.throws(() => root(xml), { name: 'StoreError', kind: 'response' })
  })
}

await t.test('twelve levels are read', async (t) => {
  t.doesNotThrow(() => root(deep(12)))
})

await t.test('bytes that are not UTF-8 are refused', async (t) => {
  const bytes = Buffer.from([...Buffer.from('<R><V>'), 0xff, 0xfe])
  t.throws(() => parseXml(bytes, ['R']), {
    name: 'StoreError',
    kind: 'response',
  })
})

for (const inner of [
  '&e;',
  '&#0;',
  '&#xD800;',
  '&#x110000;',
  'a & b',
  '&nbsp;',
  '&toString;',
  '<![CDATA[x]]>',
  '<W>x</W>',
]) {
  await t.test(`${inner} is no plain text`, async (t) => {
    t.throws(() => text(inner), { name: 'StoreError', kind: 'response' })
  })
}

await t.test('names that objects have of themselves', async (t) => {
  const element = root('<R><V>x</V></R>')
  t.equal(rawText(element, 'toString'), undefined)
  t.strictSame(childrenOf(element, 'hasOwnProperty'), [])
  t.equal(({} as Record<string, unknown>)['x'], undefined)
})

await t.test('escaping', async (t) => {
  t.equal(
    escapeXml(`"a"<&>'\r\n`),
    '&quot;a&quot;&lt;&amp;&gt;&apos;&#13;&#10;',
  )
})

await t.test('what the parser would work at for seconds', async (t) => {
  const of = (inner: string) => Buffer.from(`<Error>${inner}</Error>`)
  const many = Array.from({ length: 101 }, (_, i) => `<a${i}/>`).join('')
  const bad: Record<string, Buffer> = {
    'too many elements': of('<a/>'.repeat(1000)),
    'too many names': of(many),
    'a long tag': of(`<a ${'b="" '.repeat(300)}/>`),
    'a tag that does not end': of('<a'),
    'a long comment': of(`<!--${'x'.repeat(1100)}-->`),
  }
  for (const [name, body] of Object.entries(bad)) {
    t.throws(
      () => parseXml(body, ['Error']),
      { name: 'StoreError', kind: 'response' },
      name,
    )
  }
  const page = of('<a></a>'.repeat(9999))
  t.doesNotThrow(() => parseXml(page, ['Error'], tagsOfPage))
  t.doesNotThrow(() => parseXml(of(`<a>${'x'.repeat(60_000)}</a>`), ['Error']))
})
