/** What a run starts from, by its log and its options. */
import t from 'tap'
import {
  emptyState,
  type LogState,
  type UploadState,
} from '../../../lib/checkpoint/fold.js'
import type { UploadSettings } from '../../../lib/upload/options/settings.js'
import { checkTarget, firstStep } from '../../../lib/upload/rules/plan.js'
import { DIGEST, header, PART, uploadState } from '../../support/log-fixture.js'

function settings(fields: Partial<UploadSettings> = {}): UploadSettings {
  return {
    store: {
      identity: header().store,
      bucket: header().bucket,
      limits: { minPartSize: 1, maxPartSize: 10 * PART, maxParts: 100 },
    },
    key: header().key,
    optionsDigest: DIGEST,
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
      { optionsDigest: 'other' },
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
      { optionsDigest: 'other' },
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
