import OSS from 'ali-oss'
import { writeFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startDevServer, type DevServer } from '../../lib/dev-server/index.js'

const content = Buffer.alloc(1_000_003, 'bytes that repeat with a period 37\n')

function client(server: DevServer, options = {}): OSS {
  return new OSS({
    endpoint: server.endpoint,
    region: 'oss-cn-hangzhou',
    bucket: 'examplebucket',
    accessKeyId: 'dev',
    accessKeySecret: 'dev-secret',
    authorizationV4: true,
    ...options,
  })
}

for (const authorizationV4 of [true, false]) {
  const version = authorizationV4 ? 'V4' : 'V1'

  await t.test(
    `ali-oss works unchanged with ${version} signatures`,
    async (t) => {
      const server = await startDevServer()
      t.teardown(() => server.close())
      const oss = client(server, { authorizationV4 })
      const file = join(t.testdir(), 'source')
      writeFileSync(file, content)

      await t.test('multipartUpload stores the file', async (t) => {
        const key = "dir one/a+b&c=d 报告 ~'(1)!*.bin"
        const done = await oss.multipartUpload(key, file, {
          partSize: 102_400,
          parallel: 3,
          meta: { author: 'alice' },
          mime: 'text/plain',
          headers: { 'x-oss-storage-class': 'IA' },
        })
        t.equal(done.res.status, 200)
        t.match(done.etag, /^"[0-9A-F]{32}-10"$/)
        const { res, meta } = await oss.head(key)
        t.strictSame(meta, { author: 'alice' })
        t.match(res.headers, {
          'content-length': String(content.length),
          'content-type': 'text/plain',
          'x-oss-object-type': 'Multipart',
          'x-oss-storage-class': 'IA',
          'x-oss-hash-crc64ecma': done.res.headers['x-oss-hash-crc64ecma'],
        })
        const got = await oss.get(key)
        t.ok(got.content.equals(content))
        const path = server.objectPath('examplebucket', key) ?? ''
        t.ok(readFileSync(path).equals(content))
        t.strictSame(server.openUploads(), [])
      })

      await t.test('put, get with a range, list, delete', async (t) => {
        const put = await oss.put('small', Buffer.from('123456789'))
        t.equal(put.res.headers['x-oss-hash-crc64ecma'], '11051210869376104954')
        t.equal(put.res.headers['etag'], '"25F9E794323B453885F5181F1B624D0B"')
        const got = await oss.get('small', { headers: { Range: 'bytes=2-4' } })
        t.equal(got.content.toString(), '345')
        const { objects } = await oss.listV2({ prefix: 'sm' })
        t.strictSame(
          objects.map((object) => object.name),
          ['small'],
        )
        t.equal((await oss.delete('small')).res.status, 204)
        await t.rejects(oss.head('small'), { code: 'NoSuchKey' })
      })

      await t.test('listParts, listUploads, complete, abort', async (t) => {
        const { uploadId } = await oss.initMultipartUpload('by-hand')
        const parts = []
        for (const number of [1, 2]) {
          const start = (number - 1) * 102_400
          const { etag } = await oss.uploadPart(
            'by-hand',
            uploadId,
            number,
            file,
            start,
            start + 102_400,
          )
          parts.push({ number, etag })
        }
        const listed = await oss.listParts('by-hand', uploadId)
        t.strictSame(
          listed.parts.map((part) => [part.PartNumber, part.Size, part.ETag]),
          parts.map(({ number, etag }) => [String(number), '102400', etag]),
        )
        const other = await oss.initMultipartUpload('other')
        const { uploads } = await oss.listUploads({ 'max-uploads': 10 })
        t.strictSame(
          uploads?.map((upload) => [upload.name, upload.uploadId]),
          [
            ['by-hand', uploadId],
            ['other', other.uploadId],
          ],
        )
        await oss.completeMultipartUpload('by-hand', uploadId, parts)
        t.ok(
          (await oss.get('by-hand')).content.equals(
            content.subarray(0, 204_800),
          ),
        )
        await oss.abortMultipartUpload('other', other.uploadId)
        await t.rejects(oss.listParts('other', other.uploadId), {
          code: 'NoSuchUpload',
          status: 404,
        })
      })

      await t.test(
        'a wrong secret and a wrong token are told apart',
        async (t) => {
          const wrong = client(server, {
            authorizationV4,
            accessKeySecret: 'no',
          })
          await t.rejects(wrong.get('x'), { code: 'SignatureDoesNotMatch' })
          const sts = client(server, { authorizationV4, stsToken: 'no' })
          await t.rejects(sts.get('x'), { code: 'InvalidSecurityToken' })
        },
      )
    },
  )
}

await t.test(
  'ali-oss finds the bucket in the path with sldEnable',
  async (t) => {
    const server = await startDevServer({ host: 'localhost' })
    t.teardown(() => server.close())
    const oss = client(server, { sldEnable: true })
    await oss.put('dir/key', Buffer.from('x'))
    t.equal((await oss.get('dir/key')).content.toString(), 'x')
    t.equal(server.requests[0]?.url, '/examplebucket/dir/key')
  },
)

await t.test('a URL that ali-oss presigned is accepted', async (t) => {
  const server = await startDevServer({ host: 'localhost' })
  t.teardown(() => server.close())
  const oss = client(server, { sldEnable: true })
  await oss.put('dir/a b', Buffer.from('presigned'))
  const answer = await fetch(oss.signatureUrl('dir/a b', { expires: 600 }))
  t.equal(await answer.text(), 'presigned')
})
