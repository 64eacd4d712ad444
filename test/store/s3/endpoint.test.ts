import t from 'tap'
import {
  checkS3Bucket,
  resolveS3Endpoint,
  type S3EndpointOptions,
} from '../../../lib/store/s3/endpoint.js'

const bucket = 'examplebucket'
const region = 'eu-central-1'

const hosts: [
  options: Partial<S3EndpointOptions>,
  origin: string,
  path: string,
][] = [
  [{}, 'https://examplebucket.s3.eu-central-1.amazonaws.com', ''],
  [
    { region: 'cn-north-1' },
    'https://examplebucket.s3.cn-north-1.amazonaws.com.cn',
    '',
  ],
  [
    { addressing: 'path' },
    'https://s3.eu-central-1.amazonaws.com',
    '/examplebucket',
  ],
  [{ bucket: 'a.b.c' }, 'https://s3.eu-central-1.amazonaws.com', '/a.b.c'],
  [
    { bucket: 'a.b.c', endpoint: 'http://s3.example' },
    'http://s3.example',
    '/a.b.c',
  ],
  [
    { endpoint: 'http://127.0.0.1:9000' },
    'http://127.0.0.1:9000',
    '/examplebucket',
  ],
  [
    { endpoint: 'http://localhost:9000' },
    'http://localhost:9000',
    '/examplebucket',
  ],
  [
    { endpoint: 'minio.example.com:9000' },
    'https://minio.example.com:9000',
    '/examplebucket',
  ],
  [
    { endpoint: 'minio.example.com', addressing: 'virtual' },
    'https://examplebucket.minio.example.com',
    '',
  ],
  [
    { endpoint: 's3.oss-cn-hangzhou.aliyuncs.com' },
    'https://examplebucket.s3.oss-cn-hangzhou.aliyuncs.com',
    '',
  ],
  [
    { endpoint: 'cos.ap-guangzhou.myqcloud.com' },
    'https://examplebucket.cos.ap-guangzhou.myqcloud.com',
    '',
  ],
  [
    { endpoint: 'https://project.supabase.example/storage/v1/s3' },
    'https://project.supabase.example',
    '/storage/v1/s3/examplebucket',
  ],
  [
    { endpoint: 'https://a.example/examplebucket', addressing: 'path' },
    'https://a.example',
    '/examplebucket/examplebucket',
  ],
  [
    { bucket: 'tenant:bucket', endpoint: 'https://ceph.example' },
    'https://ceph.example',
    '/tenant:bucket',
  ],
  [
    { endpoint: 'files.example.com', addressing: 'cname' },
    'https://files.example.com',
    '',
  ],
]

for (const [options, origin, path] of hosts) {
  await t.test(JSON.stringify(options), async (t) => {
    const endpoint = resolveS3Endpoint({ bucket, region, ...options })
    t.equal(endpoint.origin, origin)
    t.equal(endpoint.host, new URL(origin).host)
    t.equal(endpoint.pathPrefix, path)
  })
}

await t.test("AWS's endpoints of a bucket are one place", async (t) => {
  const identities = [
    {},
    { addressing: 'path' } as const,
    { endpoint: 's3.dualstack.eu-central-1.amazonaws.com' },
    { endpoint: 's3-accelerate.amazonaws.com' },
    { endpoint: 's3-fips.eu-central-1.amazonaws.com' },
    {
      endpoint: 'bucket.vpce-1a2b-5e6f.s3.eu-central-1.vpce.amazonaws.com',
    },
    { endpoint: 's3.eu-central-1.api.aws' },
  ].map((options) => resolveS3Endpoint({ bucket, region, ...options }).identity)
  t.strictSame([...new Set(identities)], ['s3:eu-central-1/examplebucket'])
  const elsewhere = { bucket, region, endpoint: 'http://127.0.0.1:9000' }
  t.equal(
    resolveS3Endpoint(elsewhere).identity,
    's3:127.0.0.1:9000/examplebucket',
  )
})

await t.test("OSS's endpoints for clients of S3 are one place", async (t) => {
  const identities = [
    { endpoint: 's3.oss-cn-hangzhou.aliyuncs.com' },
    { endpoint: 's3.oss-cn-hangzhou-internal.aliyuncs.com' },
    { endpoint: 's3.oss-accelerate.aliyuncs.com', region: 'oss-cn-hangzhou' },
  ].map((options) => resolveS3Endpoint({ bucket, region, ...options }).identity)
  t.strictSame([...new Set(identities)], ['s3:oss-cn-hangzhou/examplebucket'])
})

await t.test('whose hosts they are', async (t) => {
  const whose = (endpoint?: string): string => {
    const found = resolveS3Endpoint({ bucket, region, endpoint })
    return found.isAws ? 'aws' : found.isR2 ? 'r2' : 'another'
  }
  t.equal(whose(), 'aws')
  t.equal(whose('s3.cn-north-1.amazonaws.com.cn'), 'aws')
  t.equal(whose('https://0123abc.r2.cloudflarestorage.com'), 'r2')
  t.equal(whose('https://0123abc.eu.r2.cloudflarestorage.com'), 'r2')
  t.equal(whose('s3.example'), 'another')
  t.equal(whose('evilamazonaws.com'), 'another')
})

const refused: Partial<S3EndpointOptions>[] = [
  { region: 'eu central' },
  { region: '' },
  { region: 1 as unknown as string },
  { addressing: 'cname' },
  { endpoint: 'http://127.0.0.1', addressing: 'virtual' },
  { endpoint: 'https://id:secret@s3.example' },
  { addressing: 'none' as 'path' },
  { endpoint: 'https://s3.example/examplebucket/' },
  { bucket: 'tenant:bucket', addressing: 'virtual' },
]

for (const options of refused) {
  await t.test(`refused: ${JSON.stringify(options)}`, async (t) => {
    t.throws(() => resolveS3Endpoint({ bucket, region, ...options }), {
      code: 'PAWL_INVALID_OPTION',
    })
  })
}

await t.test('what stands for a bucket', async (t) => {
  for (const name of [
    'examplebucket',
    'tenant:examplebucket',
    'my-access-point-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias',
  ]) {
    t.doesNotThrow(() => checkS3Bucket(name), name)
  }
  const refused: [name: string, wayOut: RegExp][] = [
    [
      'arn:aws:s3:us-west-2:123456789012:accesspoint/test',
      /alias of the access point/,
    ],
    ['my-bucket--usw2-az1--x-s3', /general purpose bucket/],
    ['a:b:examplebucket', /3 to 63/],
    ['tenant:x', /3 to 63/],
    ['ten-ant:examplebucket', /3 to 63/],
  ]
  for (const [name, message] of refused) {
    const code = 'PAWL_INVALID_OPTION'
    t.throws(() => checkS3Bucket(name), { code, message }, name)
  }
})
