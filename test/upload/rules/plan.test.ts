/** What a run starts from, by its log and its options. */
import t from 'tap'
import {
  emptyState,
  type LogState,
  type UploadState,
} from '../../../lib/checkpoint/fold.js'
import type { UploadSettings } from '../../../lib/upload/options/settings.js'
import {
  checkTarget,
  firstStep,
  partSizesOf,
  type Plan,
  unheardPut,
} from '../../../lib/upload/rules/plan.js'
import { DIGEST, header, PART, uploadState } from '../../support/log-fixture.js'

/** Of an object's options, of which only the first are compared here. */
function digestsOf(options: string): UploadSettings['digests'] {
  return { options, sent: DIGEST, put: DIGEST } as UploadSettings['digests']
}

function settings(fields: Partial<UploadSettings> = {}): UploadSettings {
  return {
    store: {
      identity: header().store,
      bucket: header().bucket,
      limits: { minPartSize: 1, maxPartSize: 10 * PART, maxParts: 100 },
    },
    key: header().key,
    digests: digestsOf(DIGEST),
    size: undefined,
    ...fields,
  } as unknown as UploadSettings
}

function state(fields: Partial<UploadState> = {}): LogState {
  return { ...emptyState(header()), upload: uploadState(fields) }
}

await t.test('the first step', async (t) => {
  const completing = {
    type: 'completing',
    parts: 1,
    size: PART,
    etagsDigest: DIGEST,
  } as const
  const done = { type: 'done', etag: 'e', size: PART } as const
  const growth = [{ from: 11, partSize: 4 * PART }]
  const grown = (10 + 90 * 4) * PART
  const { store } = settings()
  const ofOneSize = {
    ...store,
    limits: { ...store.limits, equalParts: true },
  } as const
  const cases: [
    string,
    LogState,
    Partial<UploadSettings>,
    { do: string; reason?: string },
  ][] = [
    ['no upload', emptyState(header()), {}, { do: 'create' }],
    ['a void one', state({ voided: 'x' }), {}, { do: 'create' }],
    ['one to go on with', state(), {}, { do: 'list' }],
    ['completing', state({ completing }), {}, { do: 'look' }],
    ['done', state({ completing, done }), {}, { do: 'look' }],
    [
      'completing, with other options',
      state({ completing }),
      { digests: digestsOf('other') },
      { do: 'look' },
    ],
    [
      'done, but what is lost',
      state({ done }),
      {},
      { do: 'restart', reason: 'log-damaged' },
    ],
    [
      'with other options',
      state(),
      { digests: digestsOf('other') },
      { do: 'restart', reason: 'options-changed' },
    ],
    ['a size that fits', state(), { size: 100 * PART }, { do: 'list' }],
    [
      'a size that does not fit',
      state(),
      { size: 100 * PART + 1 },
      { do: 'restart', reason: 'part-size' },
    ],
    [
      'parts that are too large for the store',
      state({ partSize: 11 * PART }),
      {},
      { do: 'restart', reason: 'part-size' },
    ],
    ['parts that grow', state({ growth }), {}, { do: 'list' }],
    [
      'a size that they fit',
      state({ growth }),
      { size: grown },
      { do: 'list' },
    ],
    [
      'a size that they do not fit',
      state({ growth }),
      { size: grown + 1 },
      { do: 'restart', reason: 'part-size' },
    ],
    [
      'parts that grow too large for the store',
      state({ growth: [...growth, { from: 90, partSize: 11 * PART }] }),
      {},
      { do: 'restart', reason: 'part-size' },
    ],
    [
      'parts that grow, where they are to be of one size',
      state({ growth }),
      { store: ofOneSize },
      { do: 'restart', reason: 'equal-parts' },
    ],
    ['parts of one size there', state(), { store: ofOneSize }, { do: 'list' }],
  ]
  for (const [name, log, options, expected] of cases) {
    t.match(firstStep(log, settings(options)), expected, name)
  }
})

await t.test('a log of another target is refused', async (t) => {
  const others: Partial<UploadSettings>[] = [
    { key: 'other' },
    { store: { ...settings().store, identity: 'other' } },
    { store: { ...settings().store, bucket: 'other' } },
  ]
  for (const other of others) {
    t.throws(() => checkTarget(state(), settings(other)), {
      code: 'PAWL_CHECKPOINT_MISMATCH',
    })
  }
  t.doesNotThrow(() => checkTarget(state(), settings()))
})

const growth = [{ from: 3, partSize: 40 }]
const cutting = {
  partSize: 10,
  growth,
  wantedPartSize: undefined,
  size: undefined,
  store: { limits: { maxPartSize: 100 } },
} as unknown as UploadSettings

await t.test('the parts of a run', (t) => {
  const upload = uploadState({
    partSize: 7,
    growth: [{ from: 2, partSize: 9 }],
  })
  const other = uploadState({ partSize: 7 })
  const create: Plan = { mode: 'create' }
  const unheard = (partSize: number): Plan => ({
    mode: 'create',
    unheard: { size: 5, partSize },
  })
  const rows: [
    name: string,
    plan: Plan,
    equalParts: number | undefined,
    more: Partial<UploadSettings>,
    expected: ReturnType<typeof partSizesOf>,
  ][] = [
    ['new', create, undefined, {}, { partSize: 10, growth }],
    [
      'of a log',
      { mode: 'resume', upload, listed: 'refused', stored: [] },
      undefined,
      {},
      { partSize: 7, growth: upload.growth },
    ],
    [
      'of a log that does not grow',
      { mode: 'resume', upload: other, listed: 'refused', stored: [] },
      undefined,
      {},
      { partSize: 7, growth: undefined },
    ],
    ['of one size, as large as they were', create, 40, {}, { partSize: 40 }],
    ['never smaller', create, 5, {}, { partSize: 10 }],
    ['nor larger than the store takes', create, 1000, {}, { partSize: 100 }],
    [
      'the caller’s own',
      create,
      40,
      { wantedPartSize: 10, growth: undefined },
      { partSize: 10, growth: undefined },
    ],
    [
      'fit for a size',
      create,
      40,
      { size: 50, growth: undefined },
      { partSize: 10, growth: undefined },
    ],
    ['after a PutObject', unheard(20), undefined, {}, { partSize: 20, growth }],
    [
      'after one of larger parts',
      unheard(40),
      undefined,
      {},
      { partSize: 40, growth: undefined },
    ],
  ]
  for (const [name, plan, equalParts, more, expected] of rows) {
    const state = { ...emptyState(header()), equalParts }
    const found = partSizesOf(plan, state, { ...cutting, ...more })
    t.strictSame(found, expected, name)
  }
  t.end()
})

await t.test(
  'what a run cuts its source into after a PutObject unheard',
  (t) => {
    const completing = { type: 'completing', put: true, size: 5 } as const
    const rows: [
      name: string,
      sizes: number[],
      own: number,
      expected: number,
    ][] = [
      ['as the run that has put it', [40], 3, 40],
      ['as that, whatever was asked for since', [40, 3, 3], 3, 40],
      ['as the last that has put it whole', [40, 20, 3], 3, 20],
      ['as is asked for, where no run is known', [], 10, 10],
    ]
    for (const [name, sizes, partSize, expected] of rows) {
      const state = emptyState(header())
      state.put = { completing, done: undefined, isTold: false }
      for (const [index, of] of sizes.entries()) {
        const run = index + 1
        state.runs.set(run, { ...state.header, run, partSize: of })
      }
      const forbidding = settings({
        object: { forbidOverwrite: true },
        partSize,
      })
      t.same(
        unheardPut(state, forbidding),
        { size: 5, partSize: expected },
        name,
      )
      const replacing = settings({ object: {}, partSize })
      t.equal(unheardPut(state, replacing), undefined)
      state.put.isTold = true
      t.equal(unheardPut(state, forbidding), undefined)
    }
    t.end()
  },
)
