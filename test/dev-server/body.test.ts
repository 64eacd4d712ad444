import { readFileSync } from 'node:fs'
import t from 'tap'
import { decodeAwsChunked } from '../../lib/dev-server/body/aws-chunked.js'
import {
  combineCrc,
  type CombinableCrc,
} from '../../lib/dev-server/body/crc-combine.js'
import {
  DigestSet,
  hexToBase64,
  hexToDecimal,
} from '../../lib/dev-server/body/digests.js'

interface CrcVectors {
  vectors: {
    id: string
    input: { utf8?: string; hex?: string; pattern?: string; length?: number }
    ecmaHex: string
    ecmaDecimal: string
    nvmeHex: string
    nvmeBase64: string
  }[]
  combine: {
    id: string
    parts: { length: number; ecmaHex: string; nvmeHex: string }[]
    ecmaHex: string
    nvmeHex: string
  }[]
}

const file = new URL('../fixtures/vectors/crc64.json', import.meta.url)
const vectors = JSON.parse(readFileSync(file, 'utf8')) as CrcVectors

function bytesOf({ input }: CrcVectors['vectors'][number]): Buffer {
  if (input.utf8 !== undefined) return Buffer.from(input.utf8)
  if (input.hex !== undefined) return Buffer.from(input.hex, 'hex')
  const bytes = Buffer.alloc(input.length ?? 0)
  if (input.pattern === 'zeros') return bytes
  return bytes.map((_, i) => (31 * i + 7) % 256) as Buffer
}

await t.test('CRC-64 of both kinds is that of the vectors', async (t) => {
  for (const vector of vectors.vectors) {
    const set = await DigestSet.create(['crc64ecma', 'crc64nvme'])
    set.update(bytesOf(vector))
    const { crc64ecma = '', crc64nvme = '' } = set.finish()
    set.release()
    t.equal(crc64ecma, vector.ecmaHex, vector.id)
    t.equal(hexToDecimal(crc64ecma), vector.ecmaDecimal, vector.id)
    t.equal(crc64nvme, vector.nvmeHex, vector.id)
    t.equal(hexToBase64(crc64nvme), vector.nvmeBase64, vector.id)
  }
})

await t.test('CRC-64 combines as in the vectors', async (t) => {
  for (const { id, parts, ecmaHex, nvmeHex } of vectors.combine) {
    const pieces = (name: 'ecmaHex' | 'nvmeHex') =>
      parts.map((part) => ({ crc: part[name], size: part.length }))
    t.equal(combineCrc('crc64ecma', pieces('ecmaHex')), ecmaHex, id)
    t.equal(combineCrc('crc64nvme', pieces('nvmeHex')), nvmeHex, id)
  }
})

await t.test('every CRC of the whole is that of its pieces', async (t) => {
  const names: CombinableCrc[] = ['crc64ecma', 'crc64nvme', 'crc32', 'crc32c']
  const whole = Buffer.alloc(5000, 'some text that is cut up')
  const digest = async (bytes: Buffer) => {
    const set = await DigestSet.create(names)
    set.update(bytes)
    const digests = set.finish()
    set.release()
    return digests
  }
  const expected = await digest(whole)
  for (const cuts of [[0], [1], [2500], [1, 2, 3], [1000, 2000, 3000, 5000]]) {
    const edges = [0, ...cuts, whole.length]
    const pieces = edges
      .slice(1)
      .map((end, index) => whole.subarray(edges[index], end))
    const digests = await Promise.all(pieces.map(digest))
    for (const name of names) {
      const parts = pieces.map((piece, index) => ({
        crc: digests[index]?.[name] ?? '',
        size: piece.length,
      }))
      t.equal(
        combineCrc(name, parts),
        expected[name],
        `${name} at ${cuts.join(' ')}`,
      )
    }
  }
})

async function decode(chunks: Buffer[]) {
  const trailers = new Map<string, string>()
  const data: Buffer[] = []
  async function* source() {
    yield* chunks
  }
  for await (const chunk of decodeAwsChunked(source(), trailers)) {
    data.push(chunk)
  }
  return { text: Buffer.concat(data).toString(), trailers: [...trailers] }
}

const framed =
  '5;chunk-signature=abc\r\nhello\r\n2\r\n\r\n\r\n1\r\n!\r\n0\r\nX-Amz-Checksum-CRC32: y/Q5Jg==\r\n\r\n'

await t.test('aws-chunked bodies decode however they are cut', async (t) => {
  const bytes = Buffer.from(framed)
  const expected = {
    text: 'hello\r\n!',
    trailers: [['x-amz-checksum-crc32', 'y/Q5Jg==']],
  }
  for (let cut = 0; cut <= bytes.length; cut++) {
    const chunks = [bytes.subarray(0, cut), bytes.subarray(cut)]
    t.strictSame(await decode(chunks), expected)
  }
  t.strictSame(
    await decode([...bytes].map((byte) => Buffer.of(byte))),
    expected,
  )
})

await t.test('aws-chunked bodies that end early are refused', async (t) => {
  const bytes = Buffer.from(framed)
  const size = framed.indexOf('X-Amz')
  for (let end = 0; end < bytes.length; end++) {
    const cut = decode([bytes.subarray(0, end)])
    // Some clients leave out the last empty line.
    const isEnd = end === size || end === bytes.length - 2
    if (isEnd) await t.resolves(cut)
    else await t.rejects(cut, { code: 'IncompleteBody' })
  }
  for (const bad of ['x\r\n', '1\r\nab\r\n', '0\r\nno trailer\r\n\r\n']) {
    await t.rejects(decode([Buffer.from(bad)]), { code: 'IncompleteBody' }, bad)
  }
})
