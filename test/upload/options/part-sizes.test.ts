/** How large the parts of a new upload are, by its options and its store. */
import t from 'tap'
import { type PartSizes, roomIn } from '../../../lib/checkpoint/growth.js'
import type { StoreLimits, UploadStreamOptions } from '../../../lib/index.js'
import { usualSizes } from '../../../lib/upload/options/part-sizes.js'
import {
  readSettings,
  readStreamSettings,
} from '../../../lib/upload/options/settings.js'
import { realUploadEnvironment } from '../../../lib/upload/options/environment.js'
import { storeInMemory } from '../../support/hand-upload.js'

const MiB = 1024 * 1024
const { store } = storeInMemory()
const grown = usualSizes.growth

function options(
  more: Partial<UploadStreamOptions>,
  limits: Partial<StoreLimits>,
): UploadStreamOptions {
  return {
    store: { ...store, limits: { ...store.limits, ...limits } },
    key: 'k',
    checkpoint: false,
    ...more,
  }
}

await t.test('parts grow where nobody says how large they are', (t) => {
  const rows: [
    name: string,
    more: Partial<UploadStreamOptions>,
    limits: Partial<StoreLimits>,
    sizes: PartSizes,
  ][] = [
    ['nothing said', {}, {}, usualSizes],
    ['a part size', { partSize: 8 * MiB }, {}, { partSize: 8 * MiB }],
    ['a size', { size: 10 }, {}, { partSize: 8 * MiB }],
    ['a large size', { size: 10_000 * 9 * MiB }, {}, { partSize: 9 * MiB }],
    ['no size at all', { size: 0 }, {}, { partSize: 8 * MiB }],
    ['parts of one size', {}, { equalParts: true }, { partSize: 8 * MiB }],
    ['few parts', {}, { maxParts: 1000 }, { partSize: 8 * MiB }],
    ['a part more', {}, { maxParts: 1001 }, usualSizes],
    ['small parts', {}, { maxPartSize: 31 * MiB }, { partSize: 8 * MiB }],
    [
      'parts that are larger anyway',
      {},
      { minPartSize: 16 * MiB },
      { partSize: 16 * MiB, growth: grown },
    ],
    [
      'and as large as they would grow',
      {},
      { minPartSize: 32 * MiB },
      { partSize: 32 * MiB },
    ],
    ['one at a time', { sequential: true }, {}, usualSizes],
    ['parts in flight', { concurrency: 4 }, {}, usualSizes],
    // What the caller gives holds for the last part as for the first.
    ['room for two', { memory: 64 * MiB }, {}, usualSizes],
    ['no room for two', { memory: 64 * MiB - 1 }, {}, { partSize: 8 * MiB }],
    [
      'room for all that are to be in flight',
      { memory: 160 * MiB, concurrency: 4 },
      {},
      usualSizes,
    ],
    [
      'no room for them',
      { memory: 160 * MiB - 1, concurrency: 4 },
      {},
      { partSize: 8 * MiB },
    ],
  ]
  for (const [name, more, limits, sizes] of rows) {
    const { partSize, growth } = readStreamSettings(
      options(more, limits),
      realUploadEnvironment,
    )
    t.strictSame({ partSize, growth }, { growth: undefined, ...sizes }, name)
  }
  t.end()
})

await t.test('a file knows its size', (t) => {
  const settings = readSettings(options({}, {}), realUploadEnvironment)
  t.match(settings, { partSize: 8 * MiB, growth: undefined })
  t.end()
})

await t.test('three parts are in memory to the end', (t) => {
  const largest = usualSizes.growth?.at(-1)?.partSize ?? 0
  t.ok(3 * largest <= 96 * MiB)
  t.ok(roomIn(usualSizes, 10_000) > 289 * 1024 * MiB)
  t.end()
})
