import t from 'tap'
import type { ObjectOptions } from '../../../lib/store/object-store.js'
import { decodeCrc, encodeCrc } from '../../../lib/store/s3/checksum.js'
import { s3ObjectHeaders } from '../../../lib/store/s3/headers.js'

await t.test('each option goes on the calls that take it', async (t) => {
  const headers = s3ObjectHeaders(
    {
      contentType: 'video/mp4',
      metadata: { Author: 'alice' },
      acl: 'private',
      storageClass: 'STANDARD_IA',
      tagging: { k: 'v' },
      encryption: { algorithm: 'aws:kms', keyId: 'id' },
      forbidOverwrite: true,
      headers: { 'x-amz-website-redirect-location': '/x' },
    },
    { 'x-amz-checksum-algorithm': 'CRC64NVME' },
  )
  t.strictSame(headers.fixed, {
    'content-type': 'video/mp4',
    'x-amz-acl': 'private',
    'x-amz-storage-class': 'STANDARD_IA',
    'x-amz-tagging': 'k=v',
    'x-amz-server-side-encryption': 'aws:kms',
    'x-amz-server-side-encryption-aws-kms-key-id': 'id',
    'x-amz-meta-author': 'alice',
    'x-amz-website-redirect-location': '/x',
  })
  t.strictSame(headers.initiate, { 'x-amz-checksum-algorithm': 'CRC64NVME' })
  t.strictSame(headers.put, { 'if-none-match': '*' })
  t.strictSame(headers.complete, { 'if-none-match': '*' })
  t.strictSame(headers.touching, {})
})

await t.test("a key of the caller's own goes with every call", async (t) => {
  const name = 'x-amz-server-side-encryption-customer'
  const { fixed, touching } = s3ObjectHeaders(
    {
      contentType: 'video/mp4',
      headers: {
        [`${name}-Algorithm`]: 'AES256',
        [`${name}-key`]: 'K7QkYpBkM5',
        [`${name}-key-MD5`]: '4XvB3tbNTN',
      },
    },
    {},
  )
  t.strictSame(touching, {
    [`${name}-algorithm`]: 'AES256',
    [`${name}-key`]: 'K7QkYpBkM5',
    [`${name}-key-md5`]: '4XvB3tbNTN',
  })
  t.strictSame(fixed, { 'content-type': 'video/mp4', ...touching })
})

const refused: Record<string, ObjectOptions> = {
  'a callback': { callback: { url: 'https://a.example', body: 'x' } },
  'more than 2 KB of metadata': { metadata: { a: 'x'.repeat(2048) } },
  'an ACL that does not exist': { acl: 'public' },
  'a key of the caller without its MD5': {
    headers: { 'x-amz-server-side-encryption-customer-key': 'x' },
  },
  'a key without KMS': { encryption: { algorithm: 'AES256', keyId: 'x' } },
  'data encryption': {
    encryption: { algorithm: 'aws:kms', dataEncryption: 'SM4' },
  },
  'a checksum header': { headers: { 'x-amz-checksum-crc32': 'x' } },
  'a condition': { headers: { 'If-None-Match': '*' } },
  'a line break': { cacheControl: 'a\r\nb: c' },
}

for (const [name, object] of Object.entries(refused)) {
  await t.test(`refused: ${name}`, async (t) => {
    t.throws(() => s3ObjectHeaders(object, {}), { code: 'PAWL_INVALID_OPTION' })
  })
}

await t.test('CRC-64/NVME in base64', async (t) => {
  const check = BigInt('0xae8b14860a799888').toString()
  t.equal(encodeCrc(check), 'rosUhgp5mIg=')
  t.equal(decodeCrc('rosUhgp5mIg='), check)
  t.equal(decodeCrc(encodeCrc('0')), '0')
  t.equal(decodeCrc(undefined), undefined)
  for (const bad of ['rosUhgp5mIg', 'rosUhgp5mIg=-3', '!', '1234']) {
    t.throws(
      () => decodeCrc(bad),
      { name: 'StoreError', kind: 'response' },
      bad,
    )
  }
})
