import t from 'tap'
import { dialects } from '../../lib/dev-server/wire/dialect.js'
import { operationOf } from '../../lib/dev-server/wire/operation.js'
import {
  percentDecodeText,
  percentEncode,
} from '../../lib/dev-server/wire/percent.js'
import { Query } from '../../lib/dev-server/wire/query.js'
import { bucketOfHost, parseTarget } from '../../lib/dev-server/wire/target.js'

await t.test('the bucket of a host', async (t) => {
  const rows: [string, string | undefined][] = [
    ['127.0.0.1:9000', undefined],
    ['[::1]:9000', undefined],
    ['localhost', undefined],
    ['localhost:80', undefined],
    ['my-bucket.localhost:80', 'my-bucket'],
    ['a.b.localhost', 'a.b'],
    ['oss-cn-hangzhou.aliyuncs.com', undefined],
    ['b.oss-cn-hangzhou-internal.aliyuncs.com', 'b'],
    ['b.oss-accelerate.aliyuncs.com', 'b'],
    ['b.s3.oss-cn-hangzhou.aliyuncs.com', 'b'],
    ['s3.us-east-1.amazonaws.com', undefined],
    ['b.s3.amazonaws.com', 'b'],
    ['files.example.com:8080', 'bound'],
    ['other.example.com', undefined],
  ]
  const bound = { 'files.example.com': 'bound' }
  for (const [host, bucket] of rows) {
    t.equal(bucketOfHost(host, bound), bucket, host)
  }
})

await t.test('keys are taken as they come', async (t) => {
  const rows: [url: string, bucket: string | undefined, key?: string][] = [
    ['/', undefined],
    ['/b', 'b'],
    ['/b/', 'b'],
    ['/b?uploads', 'b'],
    ['/b/k', 'b', 'k'],
    ['/b//k', 'b', '/k'],
    ['/b/../../x', 'b', '../../x'],
    ['/b/a/./b/', 'b', 'a/./b/'],
    ['/b/%2e%2E/%2F', 'b', '..//'],
    ['/b/a+b%20c%2Bd', 'b', 'a+b c+d'],
    ['/b/%2541', 'b', '%41'],
    ['/b/%E6%8A%A5', 'b', '报'],
    ['/b/k?a=/x?y', 'b', 'k'],
    ['http://host/b/k', 'b', 'k'],
  ]
  for (const [url, bucket, key] of rows) {
    t.match(parseTarget(url, '127.0.0.1'), { bucket, key }, url)
  }
  t.match(parseTarget('/b/k', 'x.localhost'), { bucket: 'x', key: 'b/k' })
  t.throws(() => parseTarget('/b/%', ''), { code: 'InvalidURI' })
  t.throws(() => parseTarget('/b/%ff', ''), { code: 'InvalidURI' })
})

await t.test('percent-encoding there and back', async (t) => {
  const text = Array.from({ length: 0x250 }, (_, code) =>
    String.fromCodePoint(code),
  ).join('')
  t.equal(percentDecodeText(percentEncode(text)), text)
  t.equal(percentDecodeText(percentEncode(text, true)), text)
  t.equal(
    percentEncode("a/b c+~'(1)!*é"),
    'a%2Fb%20c%2B~%27%281%29%21%2A%C3%A9',
  )
  t.equal(percentEncode('a/b', true), 'a/b')
})

await t.test('queries are sorted by encoded name', async (t) => {
  const query = Query.parse('b&a-b=1&a=2&a=1&%7C=x&A&c=d=e')
  t.equal(query.canonical(''), '%7C=x&A&a=1&a=2&a-b=1&b&c=d%3De')
  t.equal(query.canonical('=', 'c'), '%7C=x&A=&a=1&a=2&a-b=1&b=')
  t.equal(query.get('b'), '')
  t.equal(query.get('none'), undefined)
})

await t.test('operations', async (t) => {
  const rows: [method: string, url: string, operation: string][] = [
    ['POST', '/b/k?uploads', 'CreateMultipartUpload'],
    ['PUT', '/b/k?partNumber=1&uploadId=u', 'UploadPart'],
    ['PUT', '/b/k?uploadId=u', 'Unknown'],
    ['GET', '/b/k?uploadId=u', 'ListParts'],
    ['POST', '/b/k?uploadId=u', 'CompleteMultipartUpload'],
    ['DELETE', '/b/k?uploadId=u', 'AbortMultipartUpload'],
    ['GET', '/b?uploads', 'ListMultipartUploads'],
    ['PUT', '/b/k', 'PutObject'],
    ['GET', '/b/k', 'GetObject'],
    ['HEAD', '/b/k', 'HeadObject'],
    ['DELETE', '/b/k', 'DeleteObject'],
    ['GET', '/b?list-type=2', 'ListObjects'],
    ['PUT', '/b', 'CreateBucket'],
    ['HEAD', '/b', 'HeadBucket'],
    ['GET', '/', 'ListBuckets'],
    ['GET', '/b/k?acl', 'Unknown'],
    ['GET', '/b?location', 'GetBucketLocation'],
    ['POST', '/b?delete', 'DeleteObjects'],
    ['POST', '/b/k', 'Unknown'],
    ['DELETE', '/b', 'DeleteBucket'],
    ['PATCH', '/b/k', 'Unknown'],
  ]
  for (const [method, url, operation] of rows) {
    const head = { ...parseTarget(url, ''), method, headers: {} }
    t.equal(
      operationOf(head, dialects.s3).operation,
      operation,
      `${method} ${url}`,
    )
  }
})
