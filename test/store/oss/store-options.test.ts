import t from 'tap'
import { ossStore } from '../../../lib/store/oss/store.js'
import { answer, scriptedServer } from '../../support/scripted-server.js'
import { storeCall } from '../../support/store-call.js'
import { testOssStore } from '../../support/stores.js'

await t.test('signature v1 goes out with its date and token', async (t) => {
  const server = await scriptedServer(t, { steps: [answer(204)] })
  const store = testOssStore(t, server, {
    signatureVersion: 'v1',
    credentials: {
      accessKeyId: 'FAKEID',
      accessKeySecret: 'FAKESECRET',
      securityToken: 'FAKETOKEN',
    },
  })
  await store.abortUpload({ key: 'k', uploadId: 'U' }, storeCall())
  t.match(server.requests[0]?.headers, {
    authorization: /^OSS FAKEID:[A-Za-z0-9+/]{27}=$/,
    date: / GMT$/,
    'x-oss-security-token': 'FAKETOKEN',
  })
})

await t.test('the host can be signed too', async (t) => {
  const server = await scriptedServer(t, { steps: [answer(204)] })
  const store = testOssStore(t, server, { additionalHeaders: ['Host'] })
  await store.abortUpload({ key: 'k', uploadId: 'U' }, storeCall())
  t.match(
    server.requests[0]?.headers.authorization,
    /,AdditionalHeaders=host,Signature=/,
  )
})

await t.test('bad options are refused at once', async (t) => {
  const bucket = 'examplebucket'
  const region = 'cn-hangzhou'
  const credentials = { accessKeyId: 'i', accessKeySecret: 's' }
  const bad = [
    { bucket: 'x', region, credentials },
    { bucket, region, credentials, maxRate: 0 },
    { bucket, region, credentials, maxParts: 10_001 },
    { bucket, credentials },
    { bucket, endpoint: 'http://127.0.0.1', credentials },
    { bucket, region, credentials, signatureVersion: 'v2' as 'v1' },
    { bucket, region, credentials, identity: '' },
  ]
  for (const options of bad) {
    t.throws(() => ossStore(options), { code: 'PAWL_INVALID_OPTION' })
  }
  t.throws(
    () =>
      ossStore({
        bucket,
        region,
        credentials: { ...credentials, accessKeySecret: '' },
      }),
    { code: 'PAWL_CREDENTIALS' },
  )
  const store = ossStore({ bucket, region, credentials })
  await t.rejects(store.headObject('/k', storeCall()), {
    code: 'PAWL_INVALID_OPTION',
  })
  t.equal(store.identity, 'oss:cn-hangzhou/examplebucket')
  t.equal(store.digest, 'crc64ecma')
  t.equal(store.limits.noLeadingSlash, true)
  t.equal(store.precedence, undefined)
  t.strictSame(store.fixedHeaders({ contentType: 'a/b', acl: 'private' }), {
    'content-type': 'a/b',
  })
})

await t.test('a place can be named, whatever its hosts are', async (t) => {
  const credentials = { accessKeyId: 'i', accessKeySecret: 's' }
  const store = ossStore({
    bucket: 'examplebucket',
    region: 'cn-hangzhou',
    endpoint: 'files.example.com',
    addressing: 'cname',
    identity: 'oss:cn-hangzhou/examplebucket',
    credentials,
  })
  t.equal(store.identity, 'oss:cn-hangzhou/examplebucket')
})

await t.test('no credentials in the environment', async (t) => {
  t.intercept(process, 'env', {
    value: { ...process.env, OSS_ACCESS_KEY_ID: '', OSS_ACCESS_KEY_SECRET: '' },
  })
  t.throws(() => ossStore({ bucket: 'examplebucket', region: 'cn-hangzhou' }), {
    code: 'PAWL_CREDENTIALS',
    message: /OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET/,
  })
})
