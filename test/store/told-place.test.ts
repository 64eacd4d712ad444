/** A server that takes an upload for one of another object. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { Agent } from 'undici'
import { ossStore, s3Store, uploadFile } from '../../lib/index.js'
import { isPlace } from '../../lib/store/told-place.js'
import { answer, scriptedServer } from '../support/scripted-server.js'

const meant = { bucket: 'backups', key: 'other/f.bin', isOwnDomain: false }

await t.test('another object is told from another spelling', async (t) => {
  const places: [boolean, string | undefined, string | undefined, object?][] = [
    [true, 'backups', 'other/f.bin'],
    [true, undefined, undefined],
    [true, undefined, 'other/f.bin'],
    [true, 'Backups', 'other%2Ff.bin'],
    [true, 'backups', 'a+b c', { key: 'a+b c' }],
    [true, 'backups', 'a%2Bb+c', { key: 'a+b c' }],
    [true, 'backups', '100%', { key: '100%' }],
    [true, 'backups', 'a b', { key: 'a\u0001 b\r' }],
    [true, 'backups', 'a/b', { key: '/a//b' }],
    [true, 'backups', 'e\u0301', { key: '\u00e9' }],
    [true, 'backups', 'k', { bucket: 'tenant:backups', key: 'k' }],
    [true, 'real', 'k', { bucket: 'point-1234-s3alias', key: 'k' }],
    [true, 'real', 'k', { key: 'k', isOwnDomain: true }],
    [false, 'other', 'f.bin'],
    [false, undefined, 'f.bin'],
    [false, 'other', 'f.bin', { isOwnDomain: true }],
    [false, 'files.example', 'backups/other/f.bin'],
    [false, 'other', 'other/f.bin'],
    [false, '', 'other/f.bin'],
    [false, 'backups', 'OTHER/f.bin'],
  ]
  for (const [is, bucket, key, more] of places) {
    const place = { ...meant, ...more }
    const what = `${String(bucket)}, ${String(key)}, ${JSON.stringify(place)}`
    t.equal(isPlace({ bucket, key }, place), is, what)
  }
})

const key = {
  accessKeyId: 'FAKEID',
  accessKeySecret: 'FAKESECRET',
  secretAccessKey: 'FAKESECRET',
}
const stores = {
  oss: (options: object) =>
    ossStore({ ...where, ...options, credentials: key, region: 'cn-hangzhou' }),
  s3: (options: object) =>
    s3Store({ ...where, ...options, credentials: key, region: 'us-east-1' }),
}
const where = { bucket: 'backups', addressing: 'virtual' as const }

for (const [name, open] of Object.entries(stores)) {
  await t.test(
    `${name}: behind a wildcard in the DNS the path is read`,
    async (t) => {
      const server = await scriptedServer(t, {
        otherwise: (exchange) => {
          const { method, url = '' } = exchange.request
          const [, bucket, rest] = /^\/([^/]+)\/([^?]+)/.exec(url) ?? []
          const begun = `<InitiateMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${rest}</Key><UploadId>U1</UploadId></InitiateMultipartUploadResult>`
          return method === 'POST'
            ? answer(200, {}, begun)(exchange)
            : answer(204)(exchange)
        },
      })
      // Every name leads to this one server.
      const dispatcher = new Agent({
        connect: {
          lookup: (_, { all }, done) =>
            all === true
              ? done(null, [{ address: '127.0.0.1', family: 4 }])
              : done(null, '127.0.0.1', 4),
        },
      })
      t.teardown(() => dispatcher.close())
      const store = open({
        endpoint: `http://store.example:${server.port}`,
        dispatcher,
      })
      t.teardown(() => store.close())
      const path = join(t.testdir({}), 'f.bin')
      await writeFile(path, Buffer.alloc(5 * 1024 * 1024 + 1))
      await t.rejects(
        uploadFile(path, {
          store,
          key: 'other/f.bin',
          partSize: 5 * 1024 * 1024,
        }),
        {
          code: 'PAWL_NO_SUCH_BUCKET',
          resumable: false,
          transient: false,
          key: 'other/f.bin',
          message:
            /the key "f\.bin" in the bucket "other", expected "other\/f\.bin" in "backups".*addressing 'path'/,
        },
      )
      const seen = server.requests.map(({ method, url = '', headers }) => [
        method,
        url.replace(/\?.*/, ''),
        headers.host,
      ])
      const host = `backups.store.example:${server.port}`
      t.same(
        seen,
        [
          ['POST', '/other/f.bin', host],
          ['DELETE', '/other/f.bin', host],
        ],
        'no part is sent, and the upload that was begun there is aborted',
      )
    },
  )
}
