import { createHash } from 'node:crypto'
import t from 'tap'
import {
  combinedCrc64,
  etagsOf,
  multipartEtag,
} from '../../../lib/upload/rules/proof.js'
import { part } from '../../support/log-fixture.js'
import { bareEtag, isMd5Etag, sameEtag } from '../../../lib/store/etag.js'

const md5 = '25f9e794323b453885f5181f1b624d0b'
const upper = md5.toUpperCase()

await t.test('quotes, case and space do not make another ETag', async (t) => {
  for (const etag of [md5, upper, `"${md5}"`, `"${upper}"`, ` "${md5}" `]) {
    t.equal(bareEtag(etag), md5)
    t.ok(sameEtag(etag, md5))
    t.ok(isMd5Etag(etag))
  }
})

await t.test('other ETags', async (t) => {
  const cases: [string, boolean][] = [
    ['', false],
    ['""', false],
    [`${md5}-3`, false],
    [md5.slice(1), false],
    [`${md5}0`, false],
    ['g'.repeat(32), false],
    [`W/"${md5}"`, false],
    [`"${md5}`, false],
  ]
  for (const [etag, isMd5] of cases) {
    t.equal(isMd5Etag(etag), isMd5, etag)
    t.notOk(sameEtag(etag, md5), etag)
  }
})

await t.test('the ETag of parts is the MD5 of their MD5s', async (t) => {
  const other = createHash('md5').update('x').digest('hex')
  const expected = createHash('md5')
    .update(Buffer.from(md5 + other, 'hex'))
    .digest('hex')
  t.equal(multipartEtag([`"${upper}"`, other]), `${expected}-2`)
  t.not(multipartEtag([other, md5]), `${expected}-2`, 'their order counts')
})

await t.test('ETags and CRC-64s, all or none', async (t) => {
  const parts = new Map([1, 2].map((number) => [number, part(number)]))
  t.equal(etagsOf(parts, 2)?.length, 2)
  t.equal(etagsOf(parts, 3), undefined)
  t.equal(combinedCrc64('crc64ecma', [{ size: 1 }]), undefined)
  t.equal(combinedCrc64('crc64ecma', [{ size: 1, crc64: '7' }]), '7')
})
