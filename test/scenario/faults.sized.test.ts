/**
 * Random schedules of faults: whatever a server and a network do, either the
 * object is the source's bytes, or the error is an `UploadError` that says so and
 * a later run, left in peace, finishes it.
 *
 * The bound on the wire, over all runs of one schedule: a part is requested once
 * for each upload that was begun, and once more for each request for a part that
 * was made to fail, or was cut when the run ended.
 */
import { setMaxListeners } from 'node:events'
import fc from 'fast-check'
import t from 'tap'
import type { Fault, SeenRequest } from '../../lib/dev-server/index.js'
import {
  memoryCheckpoint,
  UploadError,
  type ResumableUploadStream,
} from '../../lib/index.js'
import { StoreError } from '../../lib/store/store-error.js'
import { noise } from '../support/dev-store.js'
import { seedFor } from '../support/seed.js'
import { wrapStore } from '../support/small-store.js'
import { sized } from '../support/tier.js'
import {
  key,
  part,
  send,
  smallUploads,
  type SmallUploads,
} from '../support/small-upload.js'

setMaxListeners(0)

/** Servers that are asked beside each other, so that waiting is shared. */
const lanes = 5
/** Schedules of each. */
const runsEach = sized({ fast: 8, more: 200, long: 4000 })
let plays = 0

interface Schedule {
  parts: number
  tail: number
  concurrency: number
  /** By number of request, from 0. */
  faults: Map<number, Fault>
}

const status = (
  code: number,
  name?: string,
  more: Partial<Extract<Fault, { kind: 'status' }>> = {},
): Fault => ({
  kind: 'status',
  status: code,
  ...(name === undefined ? {} : { code: name }),
  ...more,
})

const xml = '<?xml version="1.0" encoding="UTF-8"?>'
const bodies = {
  truncated: `${xml}<InitiateMultipartUploadResult><UploadId>abc`,
  huge: `${xml}<Error>${'<Code>x</Code>'.repeat(6000)}</Error>`,
  nested: `${xml}${'<a>'.repeat(200)}${'</a>'.repeat(200)}`,
  doctype: `${xml}<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><InitiateMultipartUploadResult><UploadId>&e;</UploadId></InitiateMultipartUploadResult>`,
  entities: `${xml}<InitiateMultipartUploadResult><UploadId>&lol;&#x0;</UploadId></InitiateMultipartUploadResult>`,
  html: '<!doctype html><html><body>502 Bad Gateway</body></html>',
  error: `${xml}<Error><Code>InternalError</Code><Message>x</Message></Error>`,
}

/** Faults that end with the request. */
const quick: Record<string, Fault> = {
  refuse: { kind: 'refuse' },
  'reset at once': { kind: 'reset-body', afterBytes: 0 },
  'reset in the middle': { kind: 'reset-body', afterBytes: 2000 },
  'reply lost': { kind: 'reply-lost' },
  'reply cut': { kind: 'reply-cut' },
  trickle: { kind: 'trickle', bytesPerSecond: 400_000 },
  delay: { kind: 'delay', ms: 3 },
  'wrong CRC': { kind: 'wrong-crc' },
  'wrong ETag': { kind: 'wrong-etag' },
  '503 with Retry-After': status(503, 'ServiceUnavailable', {
    headers: { 'retry-after': '0' },
  }),
  '429': status(429, 'TooManyRequests', { headers: { 'retry-after': '0' } }),
  '500': status(500, 'InternalError'),
  '500 after all': status(500, 'InternalError', { apply: true }),
  '502 with HTML': status(502, undefined, { body: bodies.html }),
  '503 early': status(503, 'ServiceUnavailable', { early: true }),
  '400 RequestTimeout': status(400, 'RequestTimeout'),
  '301 to elsewhere': status(301, 'PermanentRedirect', {
    headers: { location: 'http://127.0.0.1:1/elsewhere' },
  }),
  '307 to elsewhere': status(307, undefined, {
    headers: { location: 'http://127.0.0.1:1/elsewhere' },
  }),
  '403': status(403, 'AccessDenied'),
  '404 NoSuchUpload': status(404, 'NoSuchUpload'),
  'HTML under 200': { kind: 'replace-body', body: bodies.html },
  'an error under 200': status(200, undefined, { body: bodies.error }),
  'truncated XML': { kind: 'replace-body', body: bodies.truncated },
  'huge XML': { kind: 'replace-body', body: bodies.huge },
  'nested XML': { kind: 'replace-body', body: bodies.nested },
  'XML with a DOCTYPE': { kind: 'replace-body', body: bodies.doctype },
  'XML with entities': { kind: 'replace-body', body: bodies.entities },
}

/** Faults that end with a time-out of ours. */
const slow: Record<string, Fault> = {
  silence: { kind: 'silence' },
  'silence after all': { kind: 'silence', apply: true },
  stall: { kind: 'stall', afterBytes: 1000 },
}

const timeouts = { connect: 5000, stall: 1000, headers: 1000, complete: 1000 }

const oneFault = fc.oneof(
  { weight: 60, arbitrary: fc.constantFrom(...Object.values(quick)) },
  { weight: 1, arbitrary: fc.constantFrom(...Object.values(slow)) },
)

const schedules = fc
  .record({
    parts: fc.integer({ min: 0, max: 10 }),
    tail: fc.integer({ min: 0, max: part - 1 }),
    concurrency: fc.integer({ min: 1, max: 5 }),
    faults: fc.array(fc.tuple(fc.nat({ max: 25 }), oneFault), {
      maxLength: 12,
    }),
  })
  .map(({ faults, ...rest }): Schedule => ({
    ...rest,
    faults: new Map(faults),
  }))

await t.test('random schedules of faults', async (t) => {
  const seed = seedFor()
  t.comment(`PAWL_SEED=${seed}`)
  const outcomes = new Map<string, number>()
  const unhandled: unknown[] = []
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', onUnhandled)
  t.teardown(() => process.off('unhandledRejection', onUnhandled))
  let runs = 0
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      const dev = await smallUploads(t)
      await fc.assert(
        fc.asyncProperty(schedules, async (schedule) => {
          const outcome = await play(dev, schedule)
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
          runs++
        }),
        { seed: seed + lane, numRuns: runsEach },
      )
    }),
  )
  t.equal(runs, lanes * runsEach, 'every schedule was played')
  t.same(unhandled, [], 'no rejection was left alone')
  t.comment(
    [...outcomes]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name}: ${count}`)
      .join(', '),
  )
})

await t.test('every fault at every request of an upload', async (t) => {
  const all = { ...quick, ...slow }
  const cases = Object.entries(sized({ fast: quick, more: all, long: all }))
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      const dev = await smallUploads(t)
      for (let next = cases.shift(); next; next = cases.shift()) {
        const [name, fault] = next
        // Initiate, three parts, Complete; and what comes after it.
        for (let at = 0; at < 6; at++) {
          const faults = new Map([[at, fault]])
          await play(dev, { parts: 2, tail: 9, concurrency: 1, faults })
        }
        t.pass(name)
      }
    }),
  )
})

await t.test('redirects are not followed', async (t) => {
  const dev = await smallUploads(t)
  const elsewhere = await smallUploads(t)
  for (const code of [301, 302, 307, 308]) {
    dev.server.setFault(() =>
      status(code, 'PermanentRedirect', {
        headers: { location: `${elsewhere.server.endpoint}/examplebucket/k` },
      }),
    )
    for (const size of [10, 2 * part]) {
      const error = await dev.fail(noise(size))
      t.match(error, { code: 'PAWL_SERVER', status: code })
    }
  }
  t.same(elsewhere.server.requests, [])
})

/** Throws when a promise is broken; resolves to how the first run ended. */
async function play(dev: SmallUploads, schedule: Schedule): Promise<string> {
  const { parts, tail, concurrency, faults } = schedule
  const bytes = noise(parts * part + tail, ++plays)
  // A log in memory: what becomes of files is tested elsewhere.
  const checkpoint = memoryCheckpoint()
  const start = dev.server.requests.length
  const faulted = new Set<number>()
  const openBefore = dev.server.openUploads().length
  dev.server.setFault(({ index }) => {
    const fault = faults.get(index - start)
    if (fault !== undefined) faulted.add(index)
    return fault
  })
  let cut = 0
  const store = wrapStore(dev.small, {
    around: async (call, run) => {
      try {
        return await run()
      } catch (error) {
        if (call === 'uploadPart' && isOurDoing(error)) cut++
        throw error
      }
    },
  })
  const options = {
    store,
    checkpoint,
    concurrency,
    retry: { attempts: 4, baseDelay: 0, maxDelay: 1 },
    timeout: timeouts,
  }
  let failure: unknown
  let upload: ResumableUploadStream = dev.upload(options)
  await send(upload, bytes).catch((error: unknown) => {
    failure = error
  })
  dev.server.setFault(undefined)
  const code = checkFailure(failure)
  for (let runs = 1; failure !== undefined; runs++) {
    if (runs > 3)
      throw new Error(`still fails after ${runs} runs: ${code}`, {
        cause: failure,
      })
    failure = undefined
    upload = dev.upload(options)
    await send(upload, bytes).catch((error: unknown) => {
      failure = error
    })
    checkFailure(failure)
  }
  const object = await dev.object(key)
  if (!object.equals(bytes)) {
    throw new Error(
      `the object has ${object.length} bytes, not the source's ${bytes.length}`,
    )
  }
  const requests = dev.server.requests.slice(start)
  checkWire(requests, Math.ceil(bytes.length / part), faulted, cut)
  checkOrphans(dev, requests, openBefore)
  return code
}

/**
 * Not the server's: cut when the run ended for another part's sake, or given up
 * after a time-out that a very busy machine was too slow for.
 */
function isOurDoing(error: unknown): boolean {
  return !(error instanceof StoreError) || error.kind === 'timeout'
}

function checkFailure(failure: unknown): string {
  if (failure === undefined) return 'done'
  if (!(failure instanceof UploadError)) {
    throw new Error('the error is not ours', { cause: failure })
  }
  const { code, message } = failure
  if (!/^PAWL_[A-Z_]+$/.test(code) || message === '') {
    throw new Error('the error says nothing', { cause: failure })
  }
  return code
}

function checkWire(
  requests: readonly SeenRequest[],
  parts: number,
  faulted: ReadonlySet<number>,
  cut: number,
): void {
  const sent = requests.filter(({ operation }) => operation === 'UploadPart')
  const uploads = new Set(sent.map(({ uploadId }) => uploadId)).size
  const failed = sent.filter(({ index }) => faulted.has(index)).length
  const bound = parts * uploads + failed + cut
  if (sent.length > bound) {
    throw new Error(
      `${sent.length} requests for ${parts} parts of ${uploads} uploads, ${failed} of which failed`,
    )
  }
}

/** What is left on the server is what nobody can know of. */
function checkOrphans(
  dev: SmallUploads,
  requests: readonly SeenRequest[],
  before: number,
): void {
  const open = dev.server.openUploads()
  const begun = requests.filter(
    ({ operation, applied }) =>
      operation === 'CreateMultipartUpload' && applied,
  )
  const known = new Set(requests.map(({ uploadId }) => uploadId))
  // A server that says an upload is gone is believed.
  const disowned = new Set(
    requests
      .filter(({ status: answer }) => answer === 404)
      .map(({ uploadId }) => uploadId),
  )
  const left = open.filter(
    ({ uploadId }) => known.has(uploadId) && !disowned.has(uploadId),
  )
  if (left.length > 0) {
    throw new Error(`uploads are left: ${JSON.stringify(left)}`)
  }
  if (open.length - before > begun.length) throw new Error('more than orphans')
}
