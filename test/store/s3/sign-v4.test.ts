import t from 'tap'
import { sha256 } from '../../../lib/hash/sha256.js'
import { percentEncodeKey } from '../../../lib/store/percent-encode.js'
import {
  signSigV4,
  unsignedPayload,
  type SigV4Input,
} from '../../../lib/store/s3/sign-v4.js'
import { vectors, type Vector } from '../../support/vectors.js'

const all = vectors('sigv4.json')
t.equal(all.length, 19)

function hostOf(vector: Vector): string {
  const host = vector.endpointHost ?? `s3.${vector.region}.amazonaws.com`
  const port = vector.port === undefined ? '' : `:${vector.port}`
  return vector.style === 'path'
    ? host + port
    : `${vector.bucket}.${host}${port}`
}

function inputOf(vector: Vector): SigV4Input {
  const { credentials } = vector
  const prefix = vector.style === 'path' ? `/${vector.bucket}` : ''
  return {
    method: vector.method,
    path: percentEncodeKey(`${prefix}/${vector.key ?? ''}`),
    query: vector.query,
    headers: { ...vector.headers, host: hostOf(vector) },
    credentials: {
      id: credentials.accessKeyId,
      secret: credentials.secretAccessKey ?? '',
      token: credentials.sessionToken,
    },
    region: vector.region,
    time: new Date(
      vector.time.replace(
        /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
        '$1-$2-$3T$4:$5:$6Z',
      ),
    ),
  }
}

for (const vector of all.filter(({ kind }) => kind === 'header')) {
  await t.test(`header: ${vector.id}`, async (t) => {
    const { expect } = vector
    const signed = signSigV4({
      ...inputOf(vector),
      payload:
        vector.payload === 'signed'
          ? sha256(vector.body ?? '')
          : unsignedPayload,
    })
    t.equal(signed.canonicalRequest, expect.canonicalRequest)
    t.equal(signed.stringToSign, expect.stringToSign)
    t.equal(signed.signature, expect.signature)
    const { authorization, ...added } = signed.headers
    t.equal(authorization, expect.authorization)
    t.strictSame({ ...added, host: hostOf(vector) }, expect.headersAdded)
  })
}
