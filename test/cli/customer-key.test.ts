/** A key of one's own, of a file or of the environment. */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { customerKeyHeaders } from '../../lib/cli/customer-key.js'

const key = Buffer.from('0123456789abcdefghijklmnopqrstuv')
const base64 = key.toString('base64')
const headers = {
  'x-amz-server-side-encryption-customer-algorithm': 'AES256',
  'x-amz-server-side-encryption-customer-key': base64,
  'x-amz-server-side-encryption-customer-key-md5': createHash('md5')
    .update(key)
    .digest('base64'),
}

await t.test('as it is, or in base64; a file goes first', async (t) => {
  const path = join(t.testdir({}), 'key')
  const rows: [content: Buffer | string | undefined, variable?: string][] = [
    [key],
    [base64],
    [`${base64}\n`],
    [undefined, base64],
    [key, 'of no use'],
  ]
  for (const [content, variable] of rows) {
    if (content !== undefined) await writeFile(path, content)
    t.same(
      await customerKeyHeaders(content === undefined ? content : path, 's3', {
        PAWL_CUSTOMER_KEY: variable,
      }),
      headers,
    )
  }
  t.equal(await customerKeyHeaders(undefined, 'oss', {}), undefined)
})

await t.test('what is no key is refused, and not repeated', async (t) => {
  const path = join(t.testdir({ short: 'secret', long: `${base64}AA` }), '')
  const secret = 'c2VjcmV0'
  const rows: [string | undefined, 'oss' | 's3', string | undefined, RegExp][] =
    [
      [join(path, 'short'), 's3', undefined, /32 bytes/],
      [join(path, 'long'), 's3', undefined, /32 bytes/],
      [join(path, 'none'), 's3', undefined, /none cannot be read: ENOENT/],
      [undefined, 's3', secret, /^PAWL_CUSTOMER_KEY: expected/],
      [undefined, 'oss', base64, /for s3:\/\/ URLs/],
    ]
  for (const [file, service, variable, message] of rows) {
    const environment = { PAWL_CUSTOMER_KEY: variable }
    await t.rejects(
      customerKeyHeaders(file, service, environment).catch((error: Error) => {
        t.notMatch(error.message, secret)
        throw error
      }),
      { code: 'PAWL_INVALID_OPTION', message },
    )
  }
})
