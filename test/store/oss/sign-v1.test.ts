import t from 'tap'
import {
  canonicalizedResource,
  signV1,
  type V1Input,
} from '../../../lib/store/oss/sign-v1.js'
import { vectors, type Vector } from '../../support/vectors.js'

const all = vectors('oss-v1.json')
t.equal(all.length, 20)

function inputOf(vector: Vector): V1Input {
  const { credentials } = vector
  return {
    method: vector.method,
    bucket: vector.bucket ?? undefined,
    key: vector.key ?? undefined,
    query: vector.query,
    headers: vector.headers,
    credentials: {
      id: credentials.accessKeyId,
      secret: credentials.accessKeySecret ?? '',
      token: credentials.securityToken,
    },
    subresources: vector.extraSubResources,
  }
}

for (const vector of all.filter(({ kind }) => kind === 'header')) {
  await t.test(`header: ${vector.id}`, async (t) => {
    const { expect } = vector
    const input = inputOf(vector)
    const time = new Date(vector.epochSeconds * 1000)
    t.equal(time.toUTCString(), vector.date)
    const signed = signV1({ ...input, time })
    t.equal(canonicalizedResource(input), expect.canonicalizedResource)
    t.equal(signed.stringToSign, expect.stringToSign)
    t.equal(signed.signature, expect.signature)
    const { authorization, ...added } = signed.headers
    t.equal(authorization, expect.authorization)
    t.equal(added['date'], vector.date)
    t.equal(added['x-oss-security-token'], vector.credentials.securityToken)
  })
}

await t.test(
  'names sort before their longer kin, not by the = after them',
  (t) => {
    const { stringToSign } = signV1({
      method: 'POST',
      bucket: 'b',
      key: 'k',
      query: [
        ['callback-var', 'v'],
        ['callback', 'c'],
      ],
      headers: { 'x-oss-meta-a-b': '2', 'x-oss-meta-a': '1' },
      credentials: { id: 'i', secret: 's' },
      time: new Date(0),
    })
    t.ok(
      stringToSign.endsWith(
        'x-oss-meta-a:1\nx-oss-meta-a-b:2\n/b/k?callback=c&callback-var=v',
      ),
    )
    t.end()
  },
)
