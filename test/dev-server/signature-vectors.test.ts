import t from 'tap'
import { claimAwsV4 } from '../../lib/dev-server/auth/aws-v4.js'
import type { Claim } from '../../lib/dev-server/auth/claim.js'
import { claimOssV1 } from '../../lib/dev-server/auth/oss-v1.js'
import { claimOssV4 } from '../../lib/dev-server/auth/oss-v4.js'
import { Query } from '../../lib/dev-server/wire/query.js'
import type { RequestHead } from '../../lib/dev-server/wire/request-head.js'
import { parseTarget } from '../../lib/dev-server/wire/target.js'
import { vectors, type Vector } from '../support/vectors.js'

const suites: {
  file: string
  claim: (head: RequestHead, vector: Vector) => Claim | undefined
}[] = [
  { file: 'oss-v4.json', claim: (head) => claimOssV4(head) },
  {
    file: 'oss-v1.json',
    claim: (head, vector) => claimOssV1(head, vector.extraSubResources),
  },
  { file: 'sigv4.json', claim: (head) => claimAwsV4(head) },
]

/** The vector's request as it would have arrived. */
function headOf(vector: Vector): RequestHead {
  const { expect, method } = vector
  const [, host = '', rest = '/'] =
    /^https?:\/\/([^/?]+)(.*)$/s.exec(expect.url) ?? []
  const headers: Record<string, string> = { host }
  const sent = {
    ...vector.headers,
    ...expect.headersAdded,
    ...(expect.authorization === undefined
      ? {}
      : { authorization: expect.authorization }),
  }
  // The wire takes the space around values away.
  for (const [name, value] of Object.entries(sent)) {
    headers[name.toLowerCase()] = value.trim()
  }
  const [path = '', ...query] = rest.split('?')
  return {
    method,
    headers,
    path,
    query: Query.parse(query.join('?')),
    bucket: vector.bucket ?? undefined,
    key: vector.key ?? undefined,
  }
}

function plain(text: string | undefined): string | undefined {
  return text === undefined ? undefined : Buffer.from(text, 'latin1').toString()
}

for (const { file, claim } of suites) {
  await t.test(`the server agrees with every vector of ${file}`, async (t) => {
    for (const vector of vectors(file)) {
      const { credentials, expect, id } = vector
      const found = claim(headOf(vector), vector)
      if (found === undefined) {
        t.fail(`${id}: no claim found`)
        continue
      }
      const secret =
        credentials.accessKeySecret ?? credentials.secretAccessKey ?? ''
      const made = found.sign(secret)
      t.equal(made.signature, expect.signature, `${id}: signature`)
      t.equal(found.signature, expect.signature, `${id}: signature found`)
      t.equal(plain(made.stringToSign), expect.stringToSign, id)
      if (made.canonicalRequest !== undefined) {
        t.equal(plain(made.canonicalRequest), expect.canonicalRequest, id)
      }
      t.match(found, {
        accessKeyId: credentials.accessKeyId,
        token: credentials.securityToken ?? credentials.sessionToken,
      })
      const other = found.sign('another secret').signature
      t.not(other, expect.signature, `${id}: another secret`)
    }
  })
}

await t.test('the bucket and key of official URLs are found', async (t) => {
  for (const { file } of suites) {
    for (const vector of vectors(file)) {
      const { url } = vector.expect
      const [, host = '', rest = '/'] =
        /^https?:\/\/([^/?]+)(.*)$/s.exec(url) ?? []
      const isOfficial = /\.(aliyuncs|amazonaws)\.com$/.test(host)
      if (!isOfficial || host.includes('cloudbox')) continue
      const { bucket, key } = parseTarget(rest, host)
      t.strictSame(
        [bucket, key],
        [vector.bucket || undefined, vector.key || undefined],
        vector.id,
      )
    }
  }
})
