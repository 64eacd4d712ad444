import { existsSync } from 'node:fs'
import { request } from 'node:http'
import t from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import { createResumableUploadStream } from '../../lib/index.js'
import { until } from '../support/small-upload.js'
import { call, create, putPart } from './raw-client.js'

await t.test('other hosts than loopback need allowRemote', async (t) => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.test', '']) {
    await t.rejects(startDevServer({ host }), { code: 'PAWL_INVALID_OPTION' })
  }
  const credentials = { accessKeyId: 'own', accessKeySecret: 'own-secret' }
  const server = await startDevServer({
    host: '0.0.0.0',
    allowRemote: true,
    credentials,
  })
  await server.close()
})

await t.test('options that make no sense are refused', async (t) => {
  const rows = [
    { bytesPerSecond: 0 },
    { bytesPerSecond: NaN },
    { minPartSize: -1 },
    { maxPageSize: 0 },
    { maxPageSize: 1001 },
    { port: 70_000 },
    { port: 1.5 },
  ]
  for (const options of rows) {
    await t.rejects(
      startDevServer(options),
      { code: 'PAWL_INVALID_OPTION' },
      JSON.stringify(options),
    )
  }
})

await t.test('a port that is taken', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  await t.rejects(startDevServer({ port: server.port }), {
    code: 'EADDRINUSE',
  })
})

await t.test('close removes a temporary directory only', async (t) => {
  const temporary = await startDevServer()
  t.ok(existsSync(temporary.directory))
  await temporary.close()
  t.notOk(existsSync(temporary.directory))
  await temporary.close()
  const directory = t.testdir()
  const kept = await startDevServer({ directory })
  await kept.close()
  t.ok(existsSync(directory))
})

await t.test('close ends what is under way', async (t) => {
  const server = await startDevServer({ bytesPerSecond: 1000 })
  const body = Buffer.alloc(1_000_000)
  const pending = call(server, { method: 'PUT', key: 'k', body })
  await until(() => (server.requests[0]?.bytes ?? 0) > 0)
  await server.close()
  t.match(await pending, { status: 0 })
})

await t.test('the endpoint says where it listens', async (t) => {
  for (const [host, pattern] of [
    ['127.0.0.1', /^http:\/\/127\.0\.0\.1:\d+$/],
    ['localhost', /^http:\/\/localhost:\d+$/],
  ] as const) {
    const server = await startDevServer({ host })
    t.match(server.endpoint, pattern)
    t.equal(server.endpoint.endsWith(`:${server.port}`), true)
    await server.close()
  }
})

await t.test('a host can be bound to a bucket', async (t) => {
  const server = await startDevServer({
    hosts: { 'files.test': 'examplebucket' },
  })
  t.teardown(() => server.close())
  const sent = request({
    host: '127.0.0.1',
    port: server.port,
    path: '/dir/key',
    headers: { host: 'files.test' },
  })
  await new Promise<void>((resolve, reject) => {
    sent.on('error', reject)
    sent.on('response', (response) => {
      response.resume().on('end', resolve)
    })
    sent.end()
  })
  t.match(server.requests[0], { bucket: 'examplebucket', key: 'dir/key' })
})

await t.test('requests are logged as they came', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const uploadId = await create(server, 'a b')
  await putPart(server, 'a b', uploadId, 3, 'part')
  t.match(server.requests, [
    { index: 0, operation: 'CreateMultipartUpload', applied: true },
    {
      index: 1,
      dialect: 'oss',
      operation: 'UploadPart',
      method: 'PUT',
      url: `/examplebucket/a%20b?partNumber=3&uploadId=${uploadId}`,
      bucket: 'examplebucket',
      key: 'a b',
      uploadId,
      partNumber: 3,
      bytes: 4,
      status: 200,
      applied: true,
    },
  ])
})

await t.test('the fault is asked once for each request', async (t) => {
  const asked: number[] = []
  const server = await startDevServer({
    fault: ({ index, bytes }) => {
      asked.push(index, bytes)
      return undefined
    },
  })
  t.teardown(() => server.close())
  await call(server, { method: 'PUT', key: 'k', body: 'x' })
  await call(server, { method: 'GET', key: 'k' })
  t.strictSame(asked, [0, 0, 1, 0])
})

await t.test('a server that runs for long keeps no requests', async (t) => {
  const server = await startDevServer({ keepRequests: false })
  t.teardown(() => server.close())
  const answer = await fetch(`${server.endpoint}/examplebucket/none`)
  await answer.text()
  t.ok(answer.status >= 400)
  t.same(server.requests, [])
})

await t.test('it has a store for each of its buckets', async (t) => {
  const credentials = {
    accessKeyId: 'own',
    accessKeySecret: 'own-secret',
    securityToken: 'own-token',
  }
  const rows = [
    {},
    { buckets: ['examplebucket'], region: 'eu-central-1', credentials },
  ]
  for (const options of rows) {
    const server = await startDevServer(options)
    t.teardown(() => server.close())
    for (const dialect of [undefined, 'oss', 's3'] as const) {
      const store = server.store('examplebucket', dialect)
      t.teardown(() => store.close())
      const upload = createResumableUploadStream({
        store,
        key: `by-${dialect}`,
        checkpoint: false,
      })
      upload.end('bytes')
      t.match(await upload.result, { size: 5, bucket: 'examplebucket' })
      t.equal(server.requests.at(-1)?.dialect, dialect ?? 'oss')
      // It goes on with the keys that are accepted now.
      server.setCredentials({ accessKeyId: 'new', accessKeySecret: 'new-one' })
      const next = createResumableUploadStream({
        store,
        key: `again-by-${dialect}`,
        checkpoint: false,
      })
      next.end('bytes')
      t.match(await next.result, { size: 5 })
    }
    // @ts-expect-error: there are two dialects.
    t.throws(() => server.store('b-1', 'gcs'), {
      code: 'PAWL_INVALID_OPTION',
      message: /'oss' or 's3', not gcs/,
    })
    t.throws(() => server.store('No Bucket'), { code: 'PAWL_INVALID_OPTION' })
  }
})
