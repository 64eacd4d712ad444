import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { eventText } from '../../lib/cli/event-text.js'
import { TextJobReporter } from '../../lib/cli/job-reporter.js'
import { JsonReporter } from '../../lib/cli/json-reporter.js'
import { LineReporter } from '../../lib/cli/line-reporter.js'
import { ProgressText } from '../../lib/cli/progress-text.js'
import { Rate } from '../../lib/cli/rate.js'
import { statusText } from '../../lib/cli/status.js'
import { openTarget } from '../../lib/cli/target.js'
import {
  UploadError,
  type Progress,
  type UploadResult,
} from '../../lib/index.js'
import type { JobFile } from '../../lib/job/job-file.js'

const MiB = 1024 * 1024

function progress(bytesStored: number, bytesTotal?: number): Progress {
  return {
    bytesRead: bytesStored,
    bytesSent: bytesStored,
    bytesStored,
    bytesReused: 0,
    bytesDone: bytesStored,
    bytesTotal,
  }
}

await t.test('a rate is that of the last seconds', async (t) => {
  const rate = new Rate()
  t.equal(rate.perSecond, undefined)
  rate.add(0, 0)
  rate.add(100, 100)
  t.equal(rate.perSecond, undefined, 'too early to tell')
  rate.add(1000, 1000)
  t.equal(rate.perSecond, 1000)
  t.equal(rate.timeFor(500), 500)
  for (let time = 2000; time <= 30_000; time += 1000) rate.add(1000, time)
  t.equal(rate.perSecond, 0)
  t.equal(rate.timeFor(500), undefined)
})

await t.test('figures with and without a total', async (t) => {
  const text = new ProgressText()
  t.equal(text.line(progress(0, 4 * MiB), 0), '0%, 0 B of 4.0 MiB')
  text.countReused()
  t.equal(
    text.line(progress(MiB, 4 * MiB), 1000),
    '25%, 1.0 MiB of 4.0 MiB, 1.0 MiB/s, 3s left, 1 part reused',
  )
  text.startOver()
  t.equal(text.line(progress(2 * MiB), 2000), '2.0 MiB, 1.0 MiB/s')
  t.equal(
    text.line({ ...progress(2 * MiB), bytesMost: 289 * 1024 * MiB }, 2000),
    '2.0 MiB of at most 289 GiB, 1.0 MiB/s',
  )
  t.match(text.line(progress(0, 0), 3000), /^100%/)
})

await t.test('lines come every five seconds', async (t) => {
  const lines: string[] = []
  let now = 0
  const sink = { write: (line: string) => lines.push(line) }
  const reporter = new LineReporter(sink, sink, () => now)
  const upload = reporter.begin('f', 'oss://b/k')
  for (; now <= 12_000; now += 100) {
    upload.event('progress', progress(now, 12_000))
  }
  t.equal(lines.length, 3)
  const error = new UploadError('PAWL_NETWORK', 'cut')
  const failed = { partNumber: 3, failingFor: 0, error }
  upload.event('retry', { ...failed, attempt: 1, delay: 2000 })
  upload.event('restarted', { reason: 'upload-gone' })
  t.same(lines.slice(3), [
    'f: part 3: attempt 1 failed (PAWL_NETWORK: cut), again in 2s\n',
    'f: starting over: it is no longer on the server\n',
  ])
  upload.event('retry', { ...failed, attempt: 2, delay: 200, failingFor: 34e3 })
  reporter.skipped('g', 'it is a log')
  t.same(lines.slice(5), [
    'f: part 3: attempt 2 failed (PAWL_NETWORK: cut), again at once; nothing was stored for 34s\n',
    'g: skipped, it is a log\n',
  ])
})

await t.test(
  'many files are told as one total, which never falls',
  async (t) => {
    const lines: string[] = []
    let now = 0
    const sink = { write: (line: string) => lines.push(line.trimEnd()) }
    const reporter = new TextJobReporter(
      { out: sink, log: sink },
      { verbose: false, quiet: false, now: () => now },
    )
    const url = 'oss://b/k'
    const file = (path: string, size: number): JobFile => ({
      path,
      key: path,
      size,
      time: 0,
      identity: { device: '1', inode: '1', size, mtime: '1', ctime: '1' },
    })
    const line = (work: () => void): string | undefined => {
      now += 5000
      work()
      return lines.at(-1)
    }
    const big = file('big', 8 * MiB)
    const upload = reporter.begin(big, url)
    t.equal(
      line(() => upload.event('progress', progress(MiB, 8 * MiB))),
      '0 files, 1.0 MiB',
      'a part of a file is something already',
    )
    t.equal(
      line(() => reporter.expect({ files: 4, bytes: 20 * MiB })),
      '0 of 4 files, 5%, 1.0 MiB of 20.0 MiB, 0 B/s',
    )
    t.equal(
      line(() => reporter.unneeded(file('old', 4 * MiB), url, 'sent-before')),
      '1 of 4 files, 25%, 5.0 MiB of 20.0 MiB, 0 B/s, 1 there already',
      'what was there already does not count for the rate',
    )
    const bad = reporter.begin(file('bad', 4 * MiB), url)
    bad.event('progress', progress(2 * MiB, 4 * MiB))
    t.equal(
      line(() => reporter.failed('bad', new UploadError('PAWL_SERVER', 'no'))),
      'pawl: bad: PAWL_SERVER: no',
    )
    t.equal(
      line(() => upload.event('progress', progress(MiB, 8 * MiB))),
      '2 of 4 files, 43%, 7.0 MiB of 16.0 MiB, 0 B/s, 1 there already, 1 failed',
      'nobody waits for what failed, and what was done stays',
    )
    upload.event('progress', progress(8 * MiB, 8 * MiB))
    const result = { size: 8 * MiB, bytesReused: 0 } as UploadResult
    t.match(
      line(() => upload.done(result)),
      /^3 of 4 files, 75%, 12.0 MiB of 16.0 MiB, .*s left, 1 there/,
    )
    reporter.ended({ stopped: undefined, received: undefined, isWhole: true })
    t.match(lines.at(-2), /^1 file sent \(8\.0 MiB\), 1 sent before, 1 failed/)
  },
)

await t.test('events that are worth a line', async (t) => {
  const error = new UploadError('PAWL_ACCESS_DENIED', 'no')
  const resumed = { uploadId: 'U', offset: 0, parts: 2, partSize: MiB }
  t.equal(
    eventText('resumed', resumed),
    'going on with an earlier upload, 2 parts are stored',
  )
  t.equal(
    eventText('resumed', { ...resumed, partSizeAsked: 2 * MiB }),
    'going on with an earlier upload, 2 parts are stored; its parts stay 1.0 MiB, not the 2.0 MiB that were asked for',
  )
  t.equal(
    eventText('left', { uploadId: 'U', error }),
    'upload U, which is no longer used, is left on the server, where it costs money (PAWL_ACCESS_DENIED); pawl abort removes it',
  )
  t.equal(eventText('initiated', { uploadId: 'U' }), undefined)
})

await t.test('JSON lines hold an error by its fields', async (t) => {
  const out = new PassThrough()
  const reporter = new JsonReporter(out)
  const upload = reporter.begin('f', 'oss://b/k')
  const error = new UploadError('PAWL_SERVER', 'no', {
    cause: new Error('inner'),
    status: 500,
  })
  const failed = { partNumber: 1, attempt: 1, delay: 1, failingFor: 9 }
  upload.event('retry', { ...failed, error })
  out.end()
  const [, line] = (await text(out)).trim().split('\n')
  t.same(JSON.parse(line ?? ''), {
    event: 'retry',
    source: 'f',
    url: 'oss://b/k',
    partNumber: 1,
    attempt: 1,
    delay: 1,
    failingFor: 9,
    error: {
      code: 'PAWL_SERVER',
      message: 'no',
      resumable: false,
      transient: false,
      status: 500,
    },
  })
})

await t.test('targets', async (t) => {
  const oss = { OSS_ACCESS_KEY_ID: 'a', OSS_ACCESS_KEY_SECRET: 'b' }
  const aws = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }
  const local = 'http://127.0.0.1:9000'
  const rows: [string, Record<string, string>, string, string][] = [
    [
      'oss://bucket/a/b%20c',
      { ...oss, OSS_REGION: 'cn-hangzhou' },
      'a/b%20c',
      'oss://bucket/a/b%20c',
    ],
    ['oss://bucket', { ...oss, OSS_ENDPOINT: local }, '', 'oss://bucket/'],
    [
      's3://bucket/k',
      { ...aws, AWS_REGION: 'eu-central-1' },
      'k',
      's3://bucket/k',
    ],
    [
      's3://bucket/k',
      { ...aws, AWS_ENDPOINT_URL: local },
      'k',
      's3://bucket/k',
    ],
    [`${local}/bucket/a%20b/c`, {}, 'a b/c', `${local}/bucket/a%20b/c`],
  ]
  for (const [url, environment, key, again] of rows) {
    const target = await openTarget(url, {}, { HOME: '/none', ...environment })
    t.match(target, { bucket: 'bucket', key })
    t.equal(target.urlOf(key), again)
    await target.close()
  }
  const home = { HOME: '/none' }
  for (const url of ['bucket/key', 'ftp://a/b', 'http://example.com/b/k', '']) {
    await t.rejects(openTarget(url, {}, { ...oss, ...home }), {
      code: 'PAWL_INVALID_OPTION',
    })
  }
  for (const [url, what] of [
    ['oss://bucket/k', /--region or set OSS_REGION, or --endpoint/],
    ['s3://bucket/k', /--region or set AWS_REGION/],
  ] as const) {
    await t.rejects(openTarget(url, {}, home), { message: what })
  }
})

await t.test('a log in words', async (t) => {
  const summary = {
    path: 'a.pawl',
    state: 'discarded',
    parts: 2,
    bytesStored: 2 * MiB,
    bytesContiguous: MiB,
    runs: 3,
    reason: 'source-changed',
    unclosed: ['ID'],
    damagedRecords: 1,
    size: 10,
    time: 0,
    key: 'k',
    bucket: 'b',
    store: 's',
  } as const
  t.equal(
    statusText({ ...summary, unclosed: ['ID'] }, 60_000),
    [
      'log       a.pawl',
      'state     given up; the next run starts over (source-changed)',
      'object    k in b (s)',
      'stored    2 parts, 2.0 MiB, of which 1.0 MiB from the start without a hole',
      'begun     1970-01-01T00:00:00.000Z, 1m00s ago',
      'runs      3',
      'to abort  ID',
      'damaged   1 record',
    ].join('\n'),
  )
  const growth = [{ from: 1001, partSize: 32 * MiB }]
  t.match(
    statusText({ ...summary, unclosed: [], partSize: 8 * MiB, growth }),
    /^part size 8\.0 MiB \(32\.0 MiB from part 1001 on\)$/m,
  )
})
