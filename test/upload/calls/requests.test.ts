import t from 'tap'
import { realEnvironment } from '../../../lib/environment.js'
import { UploadError } from '../../../lib/errors.js'
import {
  StoreError,
  type StoreErrorKind,
} from '../../../lib/store/store-error.js'
import {
  isRefusedForGood,
  kindOf,
  Requests,
} from '../../../lib/upload/calls/requests.js'
import type { RetryEvent } from '../../../lib/upload/options/events.js'
import { readRequestSettings } from '../../../lib/upload/options/settings.js'

function setUp(attempts = 3) {
  const stop = new AbortController()
  const retries: RetryEvent[] = []
  const requests = new Requests(
    {
      ...readRequestSettings(
        { retry: { attempts, baseDelay: 0 } },
        realEnvironment,
      ),
      key: 'k',
    },
    stop.signal,
    (_name, event) => retries.push(event as RetryEvent),
  )
  return { stop, retries, requests }
}

function failing(kinds: StoreErrorKind[]) {
  let calls = 0
  return {
    calls: () => calls,
    send: async () => {
      const kind = kinds[calls++]
      if (kind !== undefined) throw new StoreError(`no ${calls}`, { kind })
      return 'answer'
    },
  }
}

await t.test('tries again until it succeeds', async (t) => {
  const { requests, retries } = setUp()
  const work = failing(['network', 'server'])
  t.same(await requests.send({ what: 'x', partNumber: 7 }, work.send), {
    answer: 'answer',
    attempts: 3,
  })
  t.match(retries, [
    { partNumber: 7, attempt: 1, error: StoreError },
    { partNumber: 7, attempt: 2 },
  ])
})

await t.test('gives up, and says what, how often and why', async (t) => {
  const { requests } = setUp()
  const work = failing(['server', 'server', 'server', 'server'])
  await t.rejects(
    requests.send({ what: 'part 7', partNumber: 7, uploadId: 'u' }, work.send),
    {
      code: 'PAWL_SERVER',
      message: 'part 7 failed after 3 attempts: no 3',
      attempts: 3,
      partNumber: 7,
      uploadId: 'u',
      key: 'k',
      cause: StoreError,
    },
  )
  t.equal(work.calls(), 3)
})

await t.test('does not try again what cannot succeed', async (t) => {
  for (const kind of ['denied', 'no-bucket', 'no-upload', 'request'] as const) {
    const { requests } = setUp()
    const work = failing([kind])
    await t.rejects(requests.send({ what: 'x' }, work.send), UploadError)
    t.equal(work.calls(), 1, kind)
  }
})

await t.test('hears when the server asks for less', async (t) => {
  const { requests } = setUp()
  let times = 0
  requests.onThrottled = () => times++
  await requests.send({ what: 'x' }, failing(['throttled', 'server']).send)
  t.equal(times, 1)
})

await t.test('a better error can be found between attempts', async (t) => {
  const { requests } = setUp()
  const better = new Error('better')
  const work = failing(['network', 'network'])
  await t.rejects(
    requests.send(
      {
        what: 'x',
        onFailure: () => {
          throw better
        },
      },
      work.send,
    ),
    better,
  )
  t.equal(work.calls(), 1)
})

await t.test('the signal ends it with its reason', async (t) => {
  const reason = new Error('stop')
  await t.test('before', async (t) => {
    const { requests, stop } = setUp()
    const work = failing([])
    stop.abort(reason)
    await t.rejects(requests.send({ what: 'x' }, work.send), reason)
    t.equal(work.calls(), 0)
  })
  await t.test('during an attempt', async (t) => {
    const { requests, stop } = setUp()
    await t.rejects(
      requests.send({ what: 'x' }, async () => {
        stop.abort(reason)
        throw new StoreError('cut', { kind: 'network' })
      }),
      reason,
    )
  })
  await t.test('while it waits', async (t) => {
    const { requests, stop } = setUp()
    const work = async () => {
      throw new StoreError('later', { kind: 'throttled', retryAfter: 60_000 })
    }
    const sending = requests.send({ what: 'x' }, work)
    setImmediate(() => stop.abort(reason))
    await t.rejects(sending, reason)
  })
})

await t.test('what is no error of ours is an answer like any', async (t) => {
  const bug = new TypeError('a bug')
  const ways = [
    async () => {
      throw bug
    },
    () => {
      throw bug
    },
  ]
  for (const send of ways) {
    const { requests, retries } = setUp(10)
    const error: unknown = await requests
      .send({ what: 'x' }, send)
      .catch((reason: unknown) => reason)
    t.match(error, {
      code: 'PAWL_RESPONSE',
      attempts: 2,
      message: /no StoreError: a bug/,
      cause: { kind: 'response', cause: bug },
    })
    t.equal(kindOf(error), 'response')
    t.equal(retries.length, 1, 'it is asked for once more')
  }
  const own = new UploadError('PAWL_INVALID_STATE', 'not so')
  const { requests } = setUp()
  await t.rejects(
    requests.send({ what: 'x' }, () => Promise.reject(own)),
    own,
  )
})

await t.test('what a server wants is told with the failure', async (t) => {
  for (const [retryAfter, wish] of [
    [90_500, 'failed: busy; the server asks to wait for 91 s'],
    [0, 'failed: busy.'],
  ] as const) {
    const { requests } = setUp(1)
    const fields = { kind: 'throttled', retryAfter } as const
    const send = () => Promise.reject(new StoreError('busy.', fields))
    await t.rejects(requests.send({ what: 'part 7' }, send), {
      retryAfter,
      message: `part 7 ${wish}`,
    })
  }
})

await t.test('a traffic limit gives a body the time it takes', async (t) => {
  const TiB = 1024 ** 4
  const { timeout } = readRequestSettings({}, realEnvironment)
  for (const [trafficLimit, bodySize, slow] of [
    [undefined, 8 * 1024 ** 2, 0],
    [819_200, 0, 0],
    [819_200, 8 * 1024 ** 2, 81_920],
    [245_760, (40 * TiB) / 10_000, 143_165_577],
  ] as const) {
    const requests = new Requests(
      readRequestSettings(
        trafficLimit === undefined ? {} : { trafficLimit },
        realEnvironment,
      ),
      new AbortController().signal,
      () => undefined,
    )
    const { timeouts } = await requests.once(
      { what: 'part 1', bodySize },
      async (call) => call,
    )
    const headers = bodySize === 0 ? 30_000 : timeout.headers
    t.same(timeouts, {
      connect: timeout.connect,
      stall: timeout.stall + slow,
      headers: headers + slow,
    })
  }
})

await t.test('so does a rate, for its answer alone', async (t) => {
  const settings = readRequestSettings({}, realEnvironment)
  const { timeout } = settings
  for (const [leastRate, bodySize, slow] of [
    [65_536, 8 * 1024 ** 2, 128_000],
    [1000, 1500, 1500],
    [1000, 0, 0],
  ] as const) {
    const requests = new Requests(
      { ...settings, leastRate },
      new AbortController().signal,
      () => undefined,
    )
    const { timeouts } = await requests.once(
      { what: 'part 1', bodySize },
      async (call) => call,
    )
    const headers = bodySize === 0 ? 30_000 : timeout.headers
    t.match(timeouts, { stall: timeout.stall, headers: headers + slow })
  }
})

await t.test(
  'a call without a body waits less, unless it is said',
  async (t) => {
    for (const [headers, expected] of [
      [undefined, 30_000],
      [200, 200],
      [300_000, 300_000],
    ] as const) {
      const requests = new Requests(
        readRequestSettings(
          headers === undefined ? {} : { timeout: { headers } },
          realEnvironment,
        ),
        new AbortController().signal,
        () => undefined,
      )
      const { timeouts } = await requests.once({ what: 'HEAD' }, async (c) => c)
      t.equal(timeouts.headers, expected)
    }
  },
)

await t.test('which refusals say that nothing can come of a request', (t) => {
  const cases: [
    expected: boolean,
    kind: StoreErrorKind,
    status?: number,
    serverCode?: string,
  ][] = [
    [true, 'denied', 403, 'AccessDenied'],
    [true, 'request', 400, 'InvalidArgument'],
    // A proxy may have sent it on.
    [false, 'denied', 403],
    [false, 'request', 400],
    [false, 'request', 407],
    // Of a moment, or of what a list shows.
    [false, 'request', 423, 'Locked'],
    [false, 'credentials', 403, 'ExpiredToken'],
    [false, 'clock', 403, 'RequestTimeTooSkewed'],
    [false, 'invalid-part', 400, 'InvalidPart'],
    [false, 'no-bucket', 404, 'NoSuchBucket'],
    [false, 'exists', 409, 'FileAlreadyExists'],
    [false, 'no-upload', 404, 'NoSuchUpload'],
    [false, 'server', 500, 'InternalError'],
    [false, 'unsupported', 501, 'NotImplemented'],
    [false, 'timeout'],
  ]
  for (const [expected, kind, status, serverCode] of cases) {
    const error = new StoreError('no', { kind, status, serverCode })
    t.equal(isRefusedForGood(error), expected, `${kind} ${status}`)
  }
  t.end()
})
