/** ETags as servers spell them. */
import t from 'tap'
import { bareEtag, isMd5Etag, partsIn, unquoted } from '../../lib/store/etag.js'

const md5 = '9b2cf535f27731c974343645a3985328'
const upper = md5.toUpperCase()

await t.test('quotes and letters', (t) => {
  const rows: [etag: string, unquoted: string, parts: number | undefined][] = [
    [md5, md5, 0],
    [upper, upper, 0],
    [`"${upper}"`, upper, 0],
    [` "${md5}" `, md5, 0],
    [`"${md5}`, `"${md5}`, undefined],
    [`${md5}"`, `${md5}"`, undefined],
    [`""${md5}""`, `"${md5}"`, undefined],
    [`"${md5}-12"`, `${md5}-12`, 12],
    [`${upper}-10000`, `${upper}-10000`, 10_000],
    [`"${md5}-0"`, `${md5}-0`, undefined],
    [md5.slice(1), md5.slice(1), undefined],
    [`${md5}0`, `${md5}0`, undefined],
    [md5.replace('9', 'g'), md5.replace('9', 'g'), undefined],
    ['""', '', undefined],
    ['"', '"', undefined],
    ['', '', undefined],
  ]
  for (const [etag, text, parts] of rows) {
    t.equal(unquoted(etag), text, JSON.stringify(etag))
    t.equal(bareEtag(etag), text.toLowerCase())
    t.equal(isMd5Etag(etag), parts === 0)
    t.equal(partsIn(etag), parts)
  }
  t.end()
})
