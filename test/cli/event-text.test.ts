/** What the command says of an upload's events and of its end. */
import t from 'tap'
import { eventText, resultText } from '../../lib/cli/event-text.js'
import { UploadError, type UploadResult } from '../../lib/index.js'

const MiB = 1024 * 1024
const GiB = 1024 * MiB

await t.test('an upload that is gone on with', async (t) => {
  const resumed = { uploadId: 'ID', offset: 0, parts: 2, partSize: 8 * MiB }
  const rows: [object, string][] = [
    [{}, '2 parts are stored'],
    [{ parts: 1 }, '1 part is stored'],
    [
      { partSizeAsked: 16 * MiB },
      '2 parts are stored; its parts stay 8.0 MiB, not the 16.0 MiB that were asked for',
    ],
    [
      {
        growth: [{ from: 1001, partSize: 32 * MiB }],
        partSizeAsked: 8 * MiB,
      },
      '2 parts are stored; its parts stay 8.0 MiB (32.0 MiB from part 1001 on), not the 8.0 MiB that were asked for',
    ],
    [
      { newerObject: true },
      '2 parts are stored; the object there is newer than that upload',
    ],
  ]
  for (const [fields, expected] of rows) {
    t.equal(
      eventText('resumed', { ...resumed, ...fields }),
      `going on with an earlier upload, ${expected}`,
    )
  }
})

await t.test('an upload that is left cannot steer the terminal', async (t) => {
  const error = new UploadError('PAWL_ACCESS_DENIED', 'no\u001b[2J')
  t.equal(
    eventText('left', { uploadId: 'I\u001bD', error }),
    'upload I\\x1bD, which is no longer used, is left on the server, where it costs money (PAWL_ACCESS_DENIED); pawl abort removes it',
  )
})

await t.test('an object without a mark is told of', async (t) => {
  const rows = [
    ['no-room', 'its own metadata leaves no room for one'],
    ['refused', 'the server takes no metadata'],
  ] as const
  for (const [reason, why] of rows) {
    t.equal(
      eventText('unmarked', { reason }),
      `the object gets no mark: ${why}`,
    )
  }
})

await t.test('what there is room for is told half way', (t) => {
  t.equal(
    eventText('limit', { bytesLeft: 164 * GiB, bytesMost: 289 * GiB }),
    'half of its parts are used: 164 GiB more have room, 289 GiB in all; what is longer needs --size, or a larger --part-size, from the start',
  )
  t.end()
})

await t.test('a result says what is left of it', async (t) => {
  const result: UploadResult = {
    bucket: 'b',
    key: 'k',
    etag: 'E',
    crc64: '5',
    versionId: undefined,
    size: 10,
    parts: 2,
    partsReused: 1,
    bytesReused: 5,
    uploadId: 'ID',
    resumed: true,
    verified: 'crc64',
    checkpointLeft: false,
  }
  const rows: [Partial<UploadResult>, string][] = [
    [{}, ''],
    [{ checkpointLeft: true }, '; its log could not be removed'],
    [
      { checkpointLeft: true, uploadsLeft: ['A'] },
      '; its log is kept: 1 earlier upload could not be aborted yet',
    ],
    [
      { checkpointLeft: true, uploadsLeft: ['A', 'B'] },
      '; its log is kept: 2 earlier uploads could not be aborted yet',
    ],
    [{ current: true }, ''],
    [{ current: false }, '; another object that is newer is under the key'],
  ]
  for (const [fields, expected] of rows) {
    t.equal(
      resultText({ ...result, ...fields }, 'oss://b/k'),
      `oss://b/k (10 B, 2 parts, 1 reused, crc64 5)${expected}`,
    )
  }
})
