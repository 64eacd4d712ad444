import { readFileSync } from 'node:fs'
import hashWasm from 'hash-wasm/dist/crc64.umd.min.js'
import t from 'tap'
import {
  combineCrc64,
  Crc64Hashers,
  type Crc64Variant,
} from '../../lib/hash/crc64.js'
import { LatePackage } from '../../lib/late-package.js'

interface Values {
  ecmaHex: string
  nvmeHex?: string
}

interface Vectors {
  vectors: (Values & {
    id: string
    input: { utf8?: string; hex?: string; pattern?: string }
    length: number
  })[]
  combine: (Values & { id: string; parts: (Values & { length: number })[] })[]
  combineOnly: (Values & { crc1Hex: string; crc2Hex: string; len2: string })[]
}

const { vectors, combine, combineOnly } = JSON.parse(
  readFileSync(
    new URL('../fixtures/vectors/crc64.json', import.meta.url),
    'utf8',
  ),
) as Vectors

const variants: [Crc64Variant, (values: Values) => string | undefined][] = [
  ['crc64ecma', (values) => values.ecmaHex],
  ['crc64nvme', (values) => values.nvmeHex],
]

function decimal(hex: string | undefined): string {
  return BigInt(`0x${hex ?? 'missing'}`).toString()
}

function bytesOf({ input, length }: Vectors['vectors'][number]): Buffer {
  if (input.utf8 !== undefined) return Buffer.from(input.utf8)
  if (input.hex !== undefined) return Buffer.from(input.hex, 'hex')
  if (input.pattern === 'zeros') return Buffer.alloc(length)
  return Buffer.from(Array.from({ length }, (_, i) => (31 * i + 7) % 256))
}

const hashers = new Crc64Hashers()

await t.test(
  'what it is worked out with may fail to load, and is there for the next',
  async (t) => {
    const tooMany = Object.assign(new Error('too many open files'), {
      code: 'EMFILE',
    })
    const failures = [tooMany, tooMany]
    const late = new LatePackage(
      'hash-wasm',
      async () => {
        const failure = failures.shift()
        if (failure !== undefined) throw failure
        return hashWasm
      },
      {
        find: () => undefined,
        require: () => {
          throw failures.shift() ?? tooMany
        },
      },
    )
    const short = new Crc64Hashers(late)
    await t.rejects(short.create('crc64ecma'), {
      code: 'PAWL_SOURCE_IO',
      message: /without hash-wasm.*EMFILE/,
      cause: tooMany,
    })
    const crc = await short.create('crc64ecma')
    crc.update(Buffer.from('123456789'))
    t.equal(crc.digest(), decimal('995dc9bbdf1939fa'), 'the check value')
  },
)

async function crc64(variant: Crc64Variant, bytes: Uint8Array) {
  const crc = await hashers.create(variant)
  crc.update(bytes)
  return crc.digest()
}

for (const [variant, valueOf] of variants) {
  for (const vector of vectors) {
    await t.test(`${variant} of ${vector.id} is the vector's`, async (t) => {
      const bytes = bytesOf(vector)
      t.equal(bytes.length, vector.length)
      t.equal(await crc64(variant, bytes), decimal(valueOf(vector)))
    })
  }

  for (const { id, parts, ...whole } of combine) {
    await t.test(`${variant} combines ${id} as the vector says`, async (t) => {
      const pieces = parts.map((part) => ({
        crc64: decimal(valueOf(part)),
        size: part.length,
      }))
      t.equal(combineCrc64(variant, pieces), decimal(valueOf(whole)))
    })
  }
}

for (const { crc1Hex, crc2Hex, len2, ecmaHex } of combineOnly) {
  await t.test(`pieces of ${len2} bytes combine without data`, async (t) => {
    const pieces = [
      { crc64: decimal(crc1Hex), size: 1 },
      { crc64: decimal(crc2Hex), size: Number(len2) },
    ]
    t.equal(combineCrc64('crc64ecma', pieces), decimal(ecmaHex))
  })
}

await t.test('two CRCs at once do not mix', async (t) => {
  const [a, b] = await Promise.all([
    hashers.create('crc64ecma'),
    hashers.create('crc64ecma'),
  ])
  a.update(Buffer.from('1234'))
  b.update(Buffer.from('abc'))
  a.update(Buffer.from('56789'))
  t.equal(a.digest(), '11051210869376104954')
  t.equal(b.digest(), await crc64('crc64ecma', Buffer.from('abc')))
})
