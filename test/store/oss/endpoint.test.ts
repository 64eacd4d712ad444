import t from 'tap'
import {
  resolveOssEndpoint,
  type OssEndpointOptions,
} from '../../../lib/store/oss/endpoint.js'

const bucket = 'examplebucket'

const hosts: [
  options: Partial<OssEndpointOptions>,
  origin: string,
  region?: string,
][] = [
  [
    { region: 'cn-hangzhou' },
    'https://examplebucket.oss-cn-hangzhou.aliyuncs.com',
    'cn-hangzhou',
  ],
  [
    { region: 'oss-cn-hangzhou' },
    'https://examplebucket.oss-cn-hangzhou.aliyuncs.com',
    'cn-hangzhou',
  ],
  [
    { region: 'cn-hangzhou', internal: true },
    'https://examplebucket.oss-cn-hangzhou-internal.aliyuncs.com',
    'cn-hangzhou',
  ],
  [
    { region: 'cn-hangzhou', accelerate: true },
    'https://examplebucket.oss-accelerate.aliyuncs.com',
    'cn-hangzhou',
  ],
  [
    { endpoint: 'oss-us-west-1.aliyuncs.com' },
    'https://examplebucket.oss-us-west-1.aliyuncs.com',
    'us-west-1',
  ],
  [
    { endpoint: 'http://oss-us-west-1-internal.aliyuncs.com' },
    'http://examplebucket.oss-us-west-1-internal.aliyuncs.com',
    'us-west-1',
  ],
  [
    { endpoint: 'https://cn-hangzhou.oss.aliyuncs.com/' },
    'https://examplebucket.cn-hangzhou.oss.aliyuncs.com',
    'cn-hangzhou',
  ],
  [
    { endpoint: 'examplebucket.oss-cn-beijing.aliyuncs.com' },
    'https://examplebucket.oss-cn-beijing.aliyuncs.com',
    'cn-beijing',
  ],
  [
    { endpoint: 'cb-f8z7yvzgwfkl9q0h.cn-shanghai.oss-cloudbox.aliyuncs.com' },
    'https://examplebucket.cb-f8z7yvzgwfkl9q0h.cn-shanghai.oss-cloudbox.aliyuncs.com',
    'cb-f8z7yvzgwfkl9q0h',
  ],
  // A box signs its own ID, whatever region it stands in.
  [
    {
      endpoint: 'cb-f8z7yvzgwfkl9q0h.cn-shanghai.oss-cloudbox.aliyuncs.com',
      region: 'cn-shanghai',
    },
    'https://examplebucket.cb-f8z7yvzgwfkl9q0h.cn-shanghai.oss-cloudbox.aliyuncs.com',
    'cb-f8z7yvzgwfkl9q0h',
  ],
  [{ endpoint: 'https://gateway.example/oss/' }, 'https://gateway.example'],
  [
    { endpoint: 'http://127.0.0.1:9000', region: 'x' },
    'http://127.0.0.1:9000',
    'x',
  ],
  [{ endpoint: 'http://[::1]:9000' }, 'http://[::1]:9000'],
  [{ endpoint: 'localhost' }, 'https://localhost'],
  [
    { endpoint: 'https://oss.corp.example:8443' },
    'https://examplebucket.oss.corp.example:8443',
  ],
  [
    {
      endpoint: 'files.example.com',
      addressing: 'cname',
      region: 'cn-hangzhou',
    },
    'https://files.example.com',
    'cn-hangzhou',
  ],
]

for (const [options, origin, region] of hosts) {
  await t.test(JSON.stringify(options), async (t) => {
    const endpoint = resolveOssEndpoint({ bucket, ...options })
    t.equal(endpoint.origin, origin)
    t.equal(endpoint.host, new URL(origin).host)
    t.equal(endpoint.region, region)
  })
}

await t.test('the bucket is in the path only in path style', async (t) => {
  const path = { bucket, endpoint: 'http://127.0.0.1:1' }
  t.equal(resolveOssEndpoint(path).pathPrefix, '/examplebucket')
  const virtual = { bucket, region: 'cn-hangzhou' }
  t.equal(resolveOssEndpoint(virtual).pathPrefix, '')
  const cname = { bucket, endpoint: 'a.example', addressing: 'cname' } as const
  t.equal(resolveOssEndpoint(cname).pathPrefix, '')
  const gateway = { bucket, endpoint: 'https://gateway.example/a%20b/oss/' }
  t.equal(resolveOssEndpoint(gateway).pathPrefix, '/a b/oss/examplebucket')
  const own = { ...gateway, addressing: 'cname' } as const
  t.equal(resolveOssEndpoint(own).pathPrefix, '/a b/oss')
})

await t.test("every endpoint of a region's bucket is one place", async (t) => {
  const region = 'cn-hangzhou'
  const identities = [
    { region },
    { region, internal: true },
    { region, accelerate: true },
    { endpoint: 'oss-cn-hangzhou.aliyuncs.com' },
    { endpoint: 'http://cn-hangzhou.oss.aliyuncs.com' },
    { region, endpoint: 'oss-accelerate-overseas.aliyuncs.com' },
    { endpoint: 'vpc100-oss-cn-hangzhou.aliyuncs.com' },
    {
      endpoint: 'ep-bp1abc.oss.cn-hangzhou.privatelink.aliyuncs.com',
    },
    {
      endpoint:
        'ep-bp1abc-cn-hangzhou-h.oss.cn-hangzhou-h.privatelink.aliyuncs.com',
    },
  ].map((options) => resolveOssEndpoint({ bucket, ...options }).identity)
  t.strictSame([...new Set(identities)], ['oss:cn-hangzhou/examplebucket'])
})

await t.test('other places are others', async (t) => {
  const identities = [
    { region: 'cn-hangzhou' },
    { region: 'cn-beijing' },
    { region: 'cn-hangzhou', bucket: 'other' },
    { endpoint: 'http://127.0.0.1:9000' },
    { endpoint: 'http://127.0.0.1:9001' },
    { endpoint: 'a.example', addressing: 'cname' } as const,
  ].map((options) => resolveOssEndpoint({ bucket, ...options }).identity)
  t.equal(new Set(identities).size, identities.length)
})

const refused: Partial<OssEndpointOptions>[] = [
  {},
  { region: 'CN Hangzhou' },
  { region: 'cn-hangzhou/x' },
  { region: 'cn-hangzhou', internal: true, accelerate: true },
  { endpoint: 'oss-cn-hangzhou.aliyuncs.com', internal: true },
  { endpoint: 'https://user:pass@oss.example' },
  { endpoint: 'https://oss.example/examplebucket' },
  { endpoint: 'https://oss.example/a//b' },
  { endpoint: 'https://oss.example/%ff' },
  { endpoint: 'https://oss-cn-hangzhou.aliyuncs.com/a' },
  { endpoint: 'https://oss.example/?x=1' },
  { endpoint: 'ftp://oss.example' },
  { endpoint: 'oss example' },
  { endpoint: 'oss.example\r\nhost: evil' },
  { endpoint: '' },
  { region: 'cn-hangzhou', addressing: 'cname' },
  { region: 'cn-hangzhou', addressing: 'path' },
  { endpoint: 'http://127.0.0.1', addressing: 'virtual' },
]

for (const options of refused) {
  await t.test(`refused: ${JSON.stringify(options)}`, async (t) => {
    t.throws(() => resolveOssEndpoint({ bucket, ...options }), {
      code: 'PAWL_INVALID_OPTION',
    })
  })
}
