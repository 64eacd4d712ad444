/**
 * ali-oss: what its own tests of multipart uploads and copies ask of the service,
 * once with each version of its signatures, and the calls on buckets around them.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { accessKey, secretKey } from './desk.js'

const require = createRequire(import.meta.url)
const OSS = require('ali-oss')
const KiB = 1024
const partSize = 100 * KiB

const md5 = (bytes) => createHash('md5').update(bytes).digest('hex')

export const aliOss = {
  version: async () => require('ali-oss/package.json').version,
  *steps(desk) {
    for (const authorizationV4 of [true, false]) {
      const version = authorizationV4 ? 'V4' : 'V1'
      for (const [title, work] of stepsOf(desk, authorizationV4)) {
        yield [`${version}: ${title}`, work]
      }
    }
  },
}

/** @returns {Generator<[title: string, work: () => Promise<void>]>} */
function* stepsOf({ endpoint, path }, authorizationV4) {
  const bucket = `ali-oss-${authorizationV4 ? 'v4' : 'v1'}`
  const client = () =>
    new OSS({
      endpoint,
      region: 'oss-cn-hangzhou',
      bucket,
      accessKeyId: accessKey,
      accessKeySecret: secretKey,
      authorizationV4,
    })
  const store = client()
  const file = (name, size) => {
    const at = path(`ali-oss-${name}`)
    writeFileSync(at, randomBytes(size))
    return at
  }
  const sameAs = async (name, source) => {
    const bytes = Buffer.isBuffer(source) ? source : readFileSync(source)
    const object = await store.get(name)
    assert.equal(object.res.status, 200)
    assert.equal(object.content.length, bytes.length)
    assert.equal(md5(object.content), md5(bytes))
  }
  const initiate = (name, count) =>
    Promise.all(
      Array.from({ length: count }, () => store.initMultipartUpload(name)),
    ).then((uploads) => uploads.map(({ uploadId }) => uploadId).toSorted())
  const idsOf = async (query) => {
    const { uploads } = await store.listUploads({ 'max-uploads': 10, ...query })
    return (uploads ?? []).map(({ uploadId }) => uploadId)
  }
  const abortAll = async () => {
    const { uploads } = await store.listUploads({ 'max-uploads': 1000 })
    for (const { name, uploadId } of uploads ?? []) {
      await store.abortMultipartUpload(name, uploadId)
    }
  }
  /** Another client whose part of that number fails. */
  const failing = (number) => {
    const other = client()
    const upload = other._uploadPart
    other._uploadPart = function (name, uploadId, partNo, data) {
      if (partNo === number) throw new Error('this part fails')
      return upload.call(this, name, uploadId, partNo, data)
    }
    return other
  }

  yield [
    'putBucket, listBuckets, getBucketInfo, getBucketLocation',
    async () => {
      await store.putBucket(bucket)
      const { buckets } = await store.listBuckets({ prefix: bucket })
      assert.deepEqual(
        buckets.map(({ name }) => name),
        [bucket],
      )
      const info = await store.getBucketInfo(bucket)
      assert.equal(info.bucket.Name, bucket)
      assert.equal(info.bucket.Location, 'oss-cn-hangzhou')
      await store.getBucketLocation(bucket)
    },
  ]

  yield [
    'listUploads by key marker',
    async () => {
      const ids = []
      for (const n of [0, 1, 2, 3, 4])
        ids.push(...(await initiate(`key${n}`, 1)))
      assert.deepEqual(await idsOf({}), ids)
      assert.deepEqual(await idsOf({ 'key-marker': 'key0' }), ids.slice(1))
      assert.deepEqual(await idsOf({ 'key-marker': 'key4' }), [])
      await abortAll()
    },
  ]
  yield [
    'listUploads: an ID marker alone is ignored',
    async () => {
      const ids = await initiate('id', 5)
      assert.deepEqual(await idsOf({}), ids)
      for (const id of [ids[1], ids[4]]) {
        assert.deepEqual(await idsOf({ 'upload-id-marker': id }), ids)
      }
      await abortAll()
    },
  ]
  yield [
    'listUploads by key and ID marker',
    async () => {
      const foo = await initiate('list-foo', 5)
      const bar = await initiate('list-bar', 5)
      const after = (id) =>
        idsOf({ 'key-marker': 'list-bar', 'upload-id-marker': id })
      assert.deepEqual(await after(bar[0]), [...bar.slice(1), ...foo])
      assert.deepEqual(await after(bar[4]), foo)
      await abortAll()
    },
  ]

  yield [
    'initMultipartUpload and multipartUpload with encryption',
    async () => {
      const name = 'x-oss-server-side-encryption'
      const headers = (value) => ({ headers: { [name]: value } })
      const { res } = await store.initMultipartUpload('sse', headers('AES256'))
      assert.equal(res.headers[name], 'AES256')
      const source = file('sse', 1003 * 1020)
      const done = await store.multipartUpload('sse', source, headers('KMS'))
      assert.equal(done.res.headers[name], 'KMS')
    },
  ]
  yield [
    'multipartUpload of less than 100 KB is one put',
    async () => {
      const source = file('fallback', partSize - 1)
      let progress = 0
      const done = await store.multipartUpload('fallback', source, {
        progress: () => progress++,
      })
      assert.equal(done.res.status, 200)
      assert.equal(progress, 1)
      assert.equal(typeof done.etag, 'string')
      await sameAs('fallback', source)
    },
  ]
  yield [
    'multipartUpload of a file',
    async () => {
      const source = file('file', 1024 * KiB)
      let progress = 0
      const done = await store.multipartUpload('dir/file', source, {
        partSize,
        progress: () => progress++,
      })
      assert.equal(done.res.status, 200)
      assert.equal(progress, 13)
      await sameAs('dir/file', source)
    },
  ]
  yield [
    'multipartUpload of a Buffer',
    async () => {
      const bytes = randomBytes(1024 * KiB)
      const done = await store.multipartUpload('buffer', bytes, { partSize })
      assert.equal(done.res.status, 200)
      await sameAs('buffer', bytes)
    },
  ]
  yield [
    'a failing part says which it was',
    async () => {
      const source = file('failing', 300 * KiB)
      await assert.rejects(
        failing(1).multipartUpload('failing', source, { partSize }),
        (error) => error.partNum === 1 && /part_num: 1/.test(error.message),
      )
    },
  ]
  for (const kind of ['file', 'Buffer']) {
    yield [
      `multipartUpload of a ${kind} goes on at its checkpoint`,
      async () => {
        const from = file('resumed', 1024 * KiB)
        const source = kind === 'file' ? from : readFileSync(from)
        let checkpoint
        let progress = 0
        await assert.rejects(
          failing(5).multipartUpload('resumed', source, {
            partSize,
            parallel: 1,
            progress: (_, seen) => {
              progress++
              // As it would be read from a file.
              checkpoint =
                kind === 'file' ? JSON.parse(JSON.stringify(seen)) : seen
            },
          }),
        )
        const done = await store.multipartUpload('resumed', source, {
          checkpoint,
          parallel: 1,
          progress: () => progress++,
        })
        assert.equal(done.res.status, 200)
        assert.equal(progress, 13)
        await sameAs('resumed', source)
      },
    ]
  }
  yield [
    'parts that are done are not sent again',
    async () => {
      const source = file('skipped', 500 * KiB)
      let checkpoint
      const options = { parallel: 1, partSize }
      await assert.rejects(
        failing(3).multipartUpload('skipped', source, {
          ...options,
          progress: (_, seen) => (checkpoint = seen),
        }),
      )
      assert.equal(checkpoint.doneParts.length, 2)
      const other = client()
      const upload = other._uploadPart
      let sent = 0
      other._uploadPart = function (...words) {
        sent++
        return upload.apply(this, words)
      }
      await other.multipartUpload('skipped', source, { ...options, checkpoint })
      assert.equal(sent, 3)
      await sameAs('skipped', source)
    },
  ]
  yield [
    'every call tells its request',
    async () => {
      const source = file('told', 1024 * KiB)
      const ids = []
      const done = await store.multipartUpload('told', source, {
        progress: (_, __, res) => ids.push(res.headers['x-oss-request-id']),
      })
      assert.equal(done.res.headers['x-oss-request-id'], ids.at(-1))
      assert.ok(ids.every((id) => /^[0-9A-F]{24}$/.test(id)))
      assert.equal(new Set(ids).size, ids.length)
    },
  ]
  yield [
    'uploadPart by hand, ten at once',
    async () => {
      const source = file('by-hand', 10 * partSize)
      const { uploadId } = await store.initMultipartUpload('by-hand')
      const numbers = Array.from({ length: 10 }, (_, index) => index + 1)
      const parts = await Promise.all(
        numbers.map((number) =>
          store.uploadPart(
            'by-hand',
            uploadId,
            number,
            source,
            (number - 1) * partSize,
            number * partSize,
          ),
        ),
      )
      const dones = parts.map(({ etag }, index) => ({
        number: index + 1,
        etag,
      }))
      const done = await store.completeMultipartUpload(
        'by-hand',
        uploadId,
        dones,
      )
      assert.equal(done.res.status, 200)
      await sameAs('by-hand', source)
    },
  ]
  yield [
    'an upload that was aborted is found out',
    async () => {
      const source = file('aborted', 300 * KiB)
      const other = client()
      const upload = other._uploadPart
      other._uploadPart = async function (name, uploadId, ...rest) {
        await store.abortMultipartUpload(name, uploadId)
        return upload.call(this, name, uploadId, ...rest)
      }
      await assert.rejects(
        other.multipartUpload('aborted', source, { parallel: 1, partSize }),
        (error) => error.name === 'abort' || error.code === 'NoSuchUpload',
      )
    },
  ]
  yield [
    'multipartUpload with a limit on traffic, and a class',
    async () => {
      const source = file('class', 200 * KiB)
      await store.multipartUpload('class', source, {
        mime: 'text/plain',
        headers: {
          'x-oss-storage-class': 'IA',
          'x-oss-traffic-limit': 838_860_800,
        },
      })
      const { res } = await store.head('class')
      assert.equal(res.headers['content-type'], 'text/plain')
      assert.equal(res.headers['x-oss-storage-class'], 'IA')
    },
  ]
  yield [
    'two uploads at once leave no stream',
    async () => {
      const source = file('twice', 1024 * KiB)
      await Promise.all(
        ['twice-1', 'twice-2'].map((name) =>
          store.multipartUpload(name, source),
        ),
      )
      assert.equal(store.multipartUploadStreams.length, 0)
      await sameAs('twice-2', source)
    },
  ]

  // The client keeps offsets in it.
  const from = () => ({ sourceKey: 'copy-source', sourceBucketName: bucket })
  const source = path('ali-oss-copied')
  yield [
    'the source of the copies',
    async () => {
      writeFileSync(source, randomBytes(2 * KiB * KiB))
      await store.multipartUpload('copy-source', source)
    },
  ]
  yield [
    'uploadPartCopy by hand, of a part of it',
    async () => {
      const { uploadId } = await store.initMultipartUpload('copied')
      const dones = await Promise.all(
        Array.from({ length: 10 }, async (_, index) => {
          const range = `${index * partSize}-${(index + 1) * partSize - 1}`
          const part = await store.uploadPartCopy(
            'copied',
            uploadId,
            index + 1,
            range,
            from(),
            {},
          )
          return { number: index + 1, etag: part.res.headers.etag }
        }),
      )
      const done = await store.completeMultipartUpload(
        'copied',
        uploadId,
        dones,
      )
      assert.equal(done.res.status, 200)
      await sameAs('copied', readFileSync(source).subarray(0, 10 * partSize))
    },
  ]
  for (const options of [
    { partSize: 256 * KiB },
    { partSize: 256 * KiB, parallel: 1 },
    { partSize },
  ]) {
    yield [
      `multipartUploadCopy ${JSON.stringify(options)}`,
      async () => {
        const done = await store.multipartUploadCopy('copied', from(), options)
        assert.equal(done.res.status, 200)
        await sameAs('copied', source)
      },
    ]
  }
  yield [
    'multipartUploadCopy is cancelled, listed, and goes on',
    async () => {
      const other = client()
      let checkpoint
      await assert.rejects(
        other.multipartUploadCopy('cancelled', from(), {
          partSize,
          parallel: 1,
          progress: (part, seen) => {
            checkpoint = seen
            if (part > 0.5) other.cancel()
          },
        }),
      )
      assert.ok(other.isCancel())
      const { uploadId, doneParts } = checkpoint
      const listed = await store.listParts('cancelled', uploadId, {
        'max-parts': 1000,
      })
      assert.equal(listed.parts.length, doneParts.length)
      const done = await store.multipartUploadCopy('cancelled', from(), {
        partSize,
        checkpoint,
        progress: (part) => assert.ok(part > 0.5),
      })
      assert.equal(done.res.status, 200)
      await sameAs('cancelled', source)
    },
  ]
  yield [
    'copies too small are refused before they are sent',
    async () => {
      await store.put('small', Buffer.alloc(50 * KiB))
      const small = { ...from(), sourceKey: 'small' }
      await assert.rejects(store.multipartUploadCopy('c', small), /copySize/)
      const options = { partSize: 50 * KiB }
      await assert.rejects(
        store.multipartUploadCopy('c', from(), options),
        /partSize/,
      )
    },
  ]

  yield [
    'copy, with and without new metadata, and conditions',
    async () => {
      await store.put('one', Buffer.from('one'), { meta: { author: 'alice' } })
      const copied = await store.copy('two', 'one')
      assert.equal(copied.res.status, 200)
      assert.match(copied.data.etag, /^"[0-9A-F]{32}"$/)
      assert.deepEqual((await store.head('two')).meta, { author: 'alice' })
      await store.copy('two', `/${bucket}/one`, { meta: { author: 'bob' } })
      assert.deepEqual((await store.head('two')).meta, { author: 'bob' })
      const { etag } = copied.data
      const unwanted = await store.copy('three', 'one', {
        headers: { 'If-None-Match': etag },
      })
      assert.equal(unwanted.res.status, 304)
      await assert.rejects(
        store.copy('three', 'one', { headers: { 'If-Match': '"x"' } }),
        { code: 'PreconditionFailed' },
      )
      await assert.rejects(store.copy('three', 'none'), { code: 'NoSuchKey' })
      await assert.rejects(store.head('three'), { code: 'NoSuchKey' })
    },
  ]
  yield [
    'get and head with conditions, getObjectMeta',
    async () => {
      const { res } = await store.head('one')
      const { etag } = res.headers
      const same = { headers: { 'If-None-Match': etag } }
      assert.equal((await store.head('one', same)).status, 304)
      const got = await store.get('one', { headers: { 'If-Match': etag } })
      assert.equal(got.content.toString(), 'one')
      await assert.rejects(
        store.get('one', { headers: { 'If-Match': '"x"' } }),
        {
          code: 'PreconditionFailed',
        },
      )
      const meta = await store.getObjectMeta('one')
      assert.equal(meta.res.headers['content-length'], '3')
    },
  ]
  yield [
    'put-, get- and deleteObjectTagging',
    async () => {
      await store.putObjectTagging('one', { a: '1', b: '2' })
      assert.deepEqual((await store.getObjectTagging('one')).tag, {
        a: '1',
        b: '2',
      })
      await store.deleteObjectTagging('one')
      assert.deepEqual((await store.getObjectTagging('one')).tag, {})
    },
  ]
  yield [
    'list and listV2, with folders',
    async () => {
      await store.put('folder/a', Buffer.from('a'))
      await store.put('folder/sub/b', Buffer.from('b'))
      const query = { prefix: 'folder/', delimiter: '/' }
      for (const list of [await store.list(query), await store.listV2(query)]) {
        assert.deepEqual(
          list.objects.map(({ name }) => name),
          ['folder/a'],
        )
        assert.deepEqual(list.prefixes, ['folder/sub/'])
      }
    },
  ]
  yield [
    'what is not there is refused, and nothing lost',
    async () => {
      const refused = { code: 'NotImplemented', status: 501 }
      await assert.rejects(store.putACL('one', 'public-read'), refused)
      await assert.rejects(store.putSymlink('one', 'two', {}), refused)
      await assert.rejects(store.getBucketVersions({ 'max-keys': 10 }), refused)
      await assert.rejects(store.putBucketACL(bucket, 'private'), refused)
      await assert.rejects(
        store.putBucketEncryption(bucket, { SSEAlgorithm: 'AES256' }),
        refused,
      )
      assert.equal((await store.get('one')).content.toString(), 'one')
    },
  ]
  yield [
    'deleteMulti, quiet or not, and deleteBucket',
    async () => {
      await assert.rejects(store.deleteBucket(bucket), {
        code: 'BucketNotEmpty',
      })
      const quiet = await store.deleteMulti(['one', 'two'], { quiet: true })
      assert.deepEqual(quiet.deleted, [])
      const { objects } = await store.list({ 'max-keys': 1000 })
      const names = objects.map(({ name }) => name)
      const { deleted } = await store.deleteMulti(names)
      assert.deepEqual(
        deleted.map(({ Key }) => Key).toSorted(),
        names.toSorted(),
      )
      await abortAll()
      await store.deleteBucket(bucket)
      await assert.rejects(store.getBucketInfo(bucket), {
        code: 'NoSuchBucket',
      })
    },
  ]
}
