import t from 'tap'
import {
  canonicalUri,
  signV4,
  type V4Input,
} from '../../../lib/store/oss/sign-v4.js'
import { encodeQuery } from '../../../lib/store/percent-encode.js'
import { signingKey } from '../../../lib/store/signing-key.js'
import { vectors, type Vector } from '../../support/vectors.js'

const all = vectors('oss-v4.json')
t.equal(all.length, 29)

function inputOf(vector: Vector): V4Input {
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
    region: vector.region,
    product: vector.product,
    additionalHeaders: vector.additionalHeaders,
    time: new Date(vector.epochSeconds * 1000),
  }
}

for (const vector of all.filter(({ kind }) => kind === 'header')) {
  await t.test(`header: ${vector.id}`, async (t) => {
    const { expect } = vector
    const input = inputOf(vector)
    const signed = signV4(input)
    t.equal(canonicalUri(input.bucket, input.key), expect.canonicalUri)
    t.equal(encodeQuery(vector.query, ''), expect.canonicalQuery)
    t.equal(signed.canonicalRequest, expect.canonicalRequest)
    t.equal(signed.scope, expect.scope)
    t.equal(signed.stringToSign, expect.stringToSign)
    const steps = expect.scope?.split('/') ?? []
    t.equal(
      signingKey(input.credentials, 'aliyun_v4', steps).toString('hex'),
      expect.signingKeyHex,
    )
    t.equal(signed.signature, expect.signature)
    t.strictSame(signed.additionalHeaders, expect.additionalHeaders)
    const { authorization, ...added } = signed.headers
    t.equal(authorization, expect.authorization)
    // SDKs add an unsigned Date as well; nothing needs it.
    const { Date: _date, ...expected } = expect.headersAdded ?? {}
    t.strictSame(added, expected)
  })
}
