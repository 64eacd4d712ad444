/**
 * Whole uploads while their store is away, on a clock that is turned by hand. The
 * rule is tested in `store/patience`, real servers in `outages.more`.
 */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t, { type Test } from 'tap'
import { delay } from '../../lib/environment.js'
import {
  memoryCheckpoint,
  StoreError,
  UploadError,
  type Checkpoint,
  type StoreErrorKind,
  type UploadStreamOptions,
} from '../../lib/index.js'
import type { RetryEvent } from '../../lib/upload/options/events.js'
import { ResumableUploadStream } from '../../lib/upload/stream.js'
import { noise } from '../support/dev-store.js'
import { handClock, type HandClock } from '../support/hand-clock.js'
import {
  environmentOn,
  key,
  storeInMemory,
  turning,
  type Asked,
  type StoreInMemory,
} from '../support/hand-upload.js'

const complaints: Error[] = []
process.on('warning', (warning: Error & { code?: string }) => {
  // Of the test runner's loaders, from Node 26 on.
  if (warning.code !== 'DEP0205') complaints.push(warning)
})

const second = 1000
/** Bytes. */
const part = 10

function failure(
  kind: StoreErrorKind,
  {
    code,
    ...fields
  }: {
    code?: string
    isStranger?: boolean
    retryAfter?: number
    status?: number
  } = {},
): StoreError {
  const cause =
    code === undefined ? undefined : Object.assign(new Error(code), { code })
  return new StoreError(kind, { kind, cause, ...fields })
}

const refused = failure('network', { code: 'ECONNREFUSED' })

interface Request extends Omit<Asked, 'signal'> {
  /** ms since the first request: what is loaded before it takes its own time. */
  at: number
}

interface Scenario {
  /** What a request fails with; undefined: it succeeds. */
  server: (request: Request) => StoreError | undefined
  inFlight?: number
  parts?: number
  /** ms that a request takes. */
  takes?: (request: Request) => number
  checkpoint?: Checkpoint
  memory?: StoreInMemory
  retry?: UploadStreamOptions['retry']
  timeout?: UploadStreamOptions['timeout']
  /** Hears of each failure that is not the last. */
  onRetry?: (event: RetryEvent, clock: HandClock) => void
  signal?: AbortSignal
}

/** A stream of so many parts, sent to its end or given up. */
async function upload({
  server,
  inFlight = 1,
  parts = 20 * inFlight,
  takes = () => 500,
  checkpoint = memoryCheckpoint(),
  memory = storeInMemory(),
  retry,
  timeout = {},
  onRetry,
  signal,
}: Scenario) {
  const clock = handClock()
  let began: number | undefined
  const requests: (Request & { failed: boolean })[] = []
  memory.before = async (asked) => {
    began ??= clock.monotonic()
    const request = { ...asked, at: clock.monotonic() - began }
    const error = server(request)
    requests.push({ ...request, failed: error !== undefined })
    await delay(clock, takes(request), asked.signal)
    if (error !== undefined) throw error
  }
  const bytes = noise(parts * part)
  const stream = new ResumableUploadStream(
    {
      store: memory.store,
      key,
      checkpoint,
      partSize: part,
      concurrency: inFlight,
      timeout,
      ...(retry === undefined ? {} : { retry }),
      ...(signal === undefined ? {} : { signal }),
    },
    environmentOn(clock, () => 0.5),
  )
  const retries: RetryEvent[] = []
  stream.on('retry', (event) => {
    retries.push(event)
    onRetry?.(event, clock)
  })
  const sending = pipeline(Readable.from([bytes]), stream)
  const ending = sending.then(
    () => undefined,
    () => stream.result.catch((error: unknown) => error),
  )
  const error = await turning(clock, ending, 250)
  return {
    error,
    requests,
    retries,
    took: began === undefined ? 0 : clock.monotonic() - began,
    isWhole: bytes.equals(memory.objects.get(key) ?? Buffer.alloc(0)),
  }
}

/** The object is there, and nothing was stored twice. */
function isDone(
  t: Test,
  { error, isWhole, requests }: Awaited<ReturnType<typeof upload>>,
): void {
  t.equal(error, undefined)
  t.ok(isWhole)
  const stored = requests
    .filter(({ call, failed }) => call === 'uploadPart' && !failed)
    .map(({ partNumber }) => partNumber)
  t.equal(new Set(stored).size, stored.length, 'no part is stored twice')
}

/** What the upload was given up with. */
function givenUp({ error }: { error: unknown }): UploadError {
  if (error instanceof UploadError) return error
  throw new Error('it was to be given up', { cause: error })
}

function awayFor(ms: number, from = 5 * second) {
  return ({ at }: { at: number }) =>
    at >= from && at < from + ms ? refused : undefined
}

for (const inFlight of [1, 11, 32]) {
  for (const away of [8, 30, 90]) {
    await t.test(`${away} s away with ${inFlight} in flight`, async (t) => {
      const run = await upload({ server: awayFor(away * second), inFlight })
      isDone(t, run)
      const lost = run.requests.filter(({ failed }) => failed)
      // Those in flight, and then one that asks on.
      t.ok(lost.length > 0 && lost.length <= inFlight + 20, `${lost.length}`)
      const longest = Math.max(
        ...run.retries.map(({ failingFor }) => failingFor),
      )
      t.ok(longest > (away * second) / 4, `told of ${longest} ms`)
    })
  }

  await t.test(`away for good with ${inFlight} in flight`, async (t) => {
    const run = await upload({ server: awayFor(Infinity), inFlight })
    const error = givenUp(run)
    const { attempts = 0, elapsed = 0 } = error
    t.match(error, {
      code: 'PAWL_NETWORK',
      resumable: true,
      transient: true,
      message: /^part \d+ failed after \d+ attempts in 1\d\d s: /,
    })
    t.ok(attempts >= 4 && attempts <= 30, `${attempts} attempts`)
    t.ok(elapsed >= 100 * second && elapsed <= 150 * second, `${elapsed} ms`)
  })
}

for (const call of ['createUpload', 'completeUpload', 'headObject'] as const) {
  await t.test(`away for 90 s, from ${call} on`, async (t) => {
    let since = Infinity
    const run = await upload({
      server: (request) => {
        if (request.call === call) since = Math.min(since, request.at)
        return awayFor(90 * second, since)(request)
      },
      ...(call === 'headObject' ? { parts: 2 } : {}),
    })
    isDone(t, run)
  })
}

await t.test('away when an upload is gone on with', async (t) => {
  const upload1 = { checkpoint: memoryCheckpoint(), memory: storeInMemory() }
  const stop = new AbortController()
  const first = await upload({
    ...upload1,
    signal: stop.signal,
    server: ({ partNumber }) => {
      if (partNumber === 4) stop.abort()
      return undefined
    },
  })
  t.equal(givenUp(first).code, 'PAWL_SUSPENDED')
  const again = await upload({ ...upload1, server: awayFor(30 * second, 0) })
  isDone(t, again)
  t.equal(again.requests[0]?.call, 'listParts')
  const sent = again.requests.filter(({ call }) => call === 'uploadPart')
  t.equal(sent.length, 17, 'three parts were stored')
})

await t.test('one answer that never comes costs its own time', async (t) => {
  const isSilent = ({ partNumber, at }: Request) =>
    partNumber === 3 && at < 60 * second
  const run = await upload({
    server: (request) => (isSilent(request) ? failure('timeout') : undefined),
    takes: (request) => (isSilent(request) ? 120 * second : second),
    inFlight: 4,
  })
  isDone(t, run)
  t.equal(run.requests.filter(({ partNumber: n }) => n === 3).length, 2)
})

await t.test(
  'a Complete that a balancer answers is looked for as long as it may take, and no longer',
  async (t) => {
    const minutes = 60 * second
    for (const timeout of [{}, { complete: 2 * minutes }]) {
      const memory = storeInMemory()
      const completeThere = memory.store.completeUpload.bind(memory.store)
      let completes = 0
      memory.store.completeUpload = async (request, call) => {
        if (completes++ === 0) await completeThere(request, call)
        throw failure('server', { status: 504 })
      }
      let completed: number | undefined
      const run = await upload({
        parts: 2,
        memory,
        timeout,
        server: ({ call, at }) => {
          if (call === 'completeUpload') completed ??= at
          return call === 'headObject'
            ? failure('denied', { status: 403 })
            : undefined
        },
      })
      t.match(givenUp(run), { code: 'PAWL_COMPLETE_UNKNOWN' })
      const { complete = 10 * minutes } = timeout
      const waited = run.took - (completed ?? 0)
      t.ok(waited >= complete && waited <= complete + minutes, `${waited}`)
      t.equal(completes, 3, 'it is repeated twice')
    }
  },
)

await t.test('a server that never answers is asked four times', async (t) => {
  const run = await upload({
    server: ({ call }) =>
      call === 'uploadPart' ? failure('timeout') : undefined,
    takes: ({ call }) => (call === 'uploadPart' ? 120 * second : second),
  })
  t.match(givenUp(run), { code: 'PAWL_TIMEOUT', attempts: 4, partNumber: 1 })
})

await t.test('one part that always fails, while others do not', async (t) => {
  const run = await upload({
    server: ({ partNumber }) =>
      partNumber === 3 ? failure('server') : undefined,
    takes: () => second,
    inFlight: 4,
    parts: 1000,
  })
  const { code, partNumber, attempts = 0, elapsed = 0 } = givenUp(run)
  t.match({ code, partNumber }, { code: 'PAWL_SERVER', partNumber: 3 })
  t.ok(attempts >= 8 && attempts <= 30, `${attempts} attempts`)
  t.ok(elapsed >= 120 * second && elapsed <= 180 * second, `${elapsed} ms`)
})

for (const [name, code] of [
  ['name', 'ENOTFOUND'],
  ['port', 'ECONNREFUSED'],
  ['scheme', 'EPROTO'],
] as const) {
  await t.test(`a ${name} that may be misspelt: ten seconds`, async (t) => {
    const error = failure('network', { code, isStranger: true })
    const run = await upload({ server: () => error, takes: () => 5 })
    t.match(givenUp(run), { code: 'PAWL_NETWORK', transient: false })
    t.ok(run.took >= 10 * second && run.took <= 11 * second, `${run.took} ms`)
  })
}

await t.test('throttled for 90 s', async (t) => {
  const from = 5 * second
  const run = await upload({
    server: ({ at }) =>
      at >= from && at < from + 90 * second
        ? failure('throttled', { retryAfter: 7 * second })
        : undefined,
    inFlight: 11,
  })
  isDone(t, run)
  const soon = run.retries.filter(({ delay: ms }) => ms < 7 * second)
  t.same(soon, [], 'Retry-After is obeyed')
})

await t.test('a machine that wakes up begins to wait anew', async (t) => {
  const hour = 3600 * second
  let since = 5 * second
  let slept = false
  const run = await upload({
    server: (request) => awayFor(100 * second, since)(request),
    onRetry: ({ failingFor }, clock) => {
      if (slept || failingFor < 60 * second) return
      slept = true
      since += hour
      setImmediate(() => clock.block(hour))
    },
    inFlight: 11,
  })
  t.ok(slept)
  isDone(t, run)
})

await t.test('patience is an option, and attempts are another', async (t) => {
  const server = awayFor(Infinity)
  const retry = { patience: 30 * second }
  const short = await upload({ server, retry })
  t.ok(short.took >= 35 * second && short.took <= 60 * second)
  t.match(givenUp(short), { code: 'PAWL_NETWORK' })
  const few = await upload({ server, retry: { attempts: 2 } })
  t.match(givenUp(few), { attempts: 2 })
  const none = await upload({ server, retry: { patience: 0 } })
  t.match(givenUp(none), { attempts: 4 })
})

await t.test('nothing of it is complained about', async (t) => {
  t.same(complaints, [])
})
