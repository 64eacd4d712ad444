/** What `NODE_DEBUG=pawl` says, and subscribers that throw. */
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import type { Fault } from '../lib/dev-server/index.js'
import { besideEachOther } from './support/beside.js'
import { keys, noise } from './support/dev-store.js'
import {
  part,
  smallUploads,
  type SmallUploads,
} from './support/small-upload.js'
import {
  runWatchedChild,
  type WatchedChildJob,
} from './support/watched-child.js'

const test = besideEachOther(t)

const debug = { NODE_DEBUG: 'pawl' }

function jobFor(
  { server, log }: SmallUploads,
  more: Partial<WatchedChildJob> = {},
): WatchedChildJob {
  return {
    endpoint: server.endpoint,
    key: 'k',
    checkpoint: log,
    partSize: part,
    size: 2 * part,
    credentials: keys,
    ...more,
  }
}

/** Each pattern has a line, and they come in this order. */
function saysInOrder(
  t: Test,
  lines: readonly string[],
  patterns: readonly RegExp[],
): void {
  let from = 0
  for (const pattern of patterns) {
    const at = lines.findIndex(
      (line, index) => index >= from && pattern.test(line),
    )
    t.ok(at >= from, String(pattern), { found: lines.slice(from) })
    if (at >= from) from = at + 1
  }
}

test('a run that fails, and the one that goes on', async (t) => {
  const dev = await smallUploads(t)
  const faults: Fault[] = [
    { kind: 'status', status: 503, code: 'SlowDown' },
    { kind: 'status', status: 403, code: 'AccessDenied' },
  ]
  dev.server.setFault(({ partNumber }) =>
    partNumber === 2 ? faults.shift() : undefined,
  )
  const first = await runWatchedChild(jobFor(dev), debug)
  t.match(first.said, [{ event: 'failure', code: 'PAWL_ACCESS_DENIED' }])
  const { uploadId } = dev.server.openUploads()[0] ?? {}
  saysInOrder(t, first.lines, [
    /^"k": upload of a stream to \S+ begins$/,
    /^"k": log \S+log\.pawl opened, run 1$/,
    /^"k": plan: a new upload, parts of 4096 bytes$/,
    /^"k": part 1 taken, 4096 bytes$/,
    /^"k": InitiateMultipartUpload, attempt 1, begins, 0 bytes$/,
    /^"k": InitiateMultipartUpload, attempt 1, after \d+ ms: 200, request \w+$/,
    new RegExp(`^"k": initiated upload ${uploadId}$`),
    /^"k": UploadPart 1, attempt 1, begins, 4096 bytes$/,
    /^"k": UploadPart 1, attempt 1, after \d+ ms: 200, request \w+$/,
    /^"k": part 1, 4096 bytes, after \d+ ms: sent$/,
  ])
  saysInOrder(t, first.lines, [
    /^"k": UploadPart 2, attempt 1, begins, 4096 bytes$/,
    /^"k": UploadPart 2, attempt 1, after \d+ ms: PAWL_SERVER: UploadPart at \S+: 503 SlowDown, request \w+\. The server misbehaves\.$/,
    /^"k": part 2: attempt 1 failed \(PAWL_SERVER: .+\), again in \d+ ms$/,
    /^"k": UploadPart 2, attempt 2, begins, 4096 bytes$/,
    /^"k": UploadPart 2, attempt 2, after \d+ ms: PAWL_ACCESS_DENIED: .*403 AccessDenied/,
    /^"k": part 2, 4096 bytes, after \d+ ms: PAWL_ACCESS_DENIED: part 2 failed after 2 attempts/,
  ])
  saysInOrder(t, first.lines, [
    /^"k": stops \(PAWL_ACCESS_DENIED: .+\)$/,
    /^"k": log closed, to go on from$/,
    /^"k": ended, PAWL_ACCESS_DENIED: .+, after \d+ ms$/,
  ])
  t.match(first.lines.at(-1), /^"k": ended/)

  const second = await runWatchedChild(jobFor(dev), debug)
  t.match(second.said, [{ event: 'result', partsReused: 1 }])
  saysInOrder(t, second.lines, [
    /^"k": log \S+ opened, run 2$/,
    /^"k": ListParts, attempt 1, begins, 0 bytes$/,
    new RegExp(
      `^"k": goes on with upload ${uploadId}: 1 parts are stored, 4096 bytes without a hole$`,
    ),
    new RegExp(
      `^"k": plan: go on with upload ${uploadId}, parts of 4096 bytes$`,
    ),
    /^"k": part 1, 4096 bytes, after \d+ ms: reused$/,
    /^"k": part 2, 4096 bytes, after \d+ ms: sent$/,
    /^"k": complete, 8192 bytes in 2 parts, 1 reused, ETag \S+, log removed, after \d+ ms$/,
  ])
})

test('an upload that is gone, and one that never began', async (t) => {
  const dev = await smallUploads(t)
  dev.server.setFault(({ partNumber }) =>
    partNumber === 2
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  await dev.fail(noise(2 * part), { key: 'k', concurrency: 1 })
  dev.server.setFault(({ operation, index }) =>
    operation === 'ListParts' && index < 100
      ? { kind: 'status', status: 404, code: 'NoSuchUpload' }
      : undefined,
  )
  const again = await runWatchedChild(jobFor(dev), debug)
  saysInOrder(t, again.lines, [
    /^"k": starts over: upload-gone$/,
    /^"k": plan: a new upload, parts of 4096 bytes$/,
    /^"k": complete, /,
  ])

  dev.server.setFault(() => ({
    kind: 'status',
    status: 403,
    code: 'AccessDenied',
  }))
  const checkpoint = join(dev.directory, 'other.pawl')
  const denied = await runWatchedChild(jobFor(dev, { checkpoint }), debug)
  saysInOrder(t, denied.lines, [
    /^"k": stops \(PAWL_ACCESS_DENIED: .+\)$/,
    /^"k": log removed, it says nothing$/,
    /^"k": ended, PAWL_ACCESS_DENIED/,
  ])
})

test('a key with line ends stays on its line', async (t) => {
  const dev = await smallUploads(t)
  const job = jobFor(dev, { key: 'a\nPAWL 1: "b"', size: 10 })
  const { lines } = await runWatchedChild(job, debug)
  t.ok(lines.length >= 5)
  for (const line of lines) t.match(line, /^"a\\nPAWL 1: \\"b\\"": /)
})

test('nothing is said unless it is asked for', async (t) => {
  const dev = await smallUploads(t)
  for (const value of ['', 'net', 'pawlish']) {
    const { stderr, said } = await runWatchedChild(jobFor(dev), {
      NODE_DEBUG: value,
    })
    t.notMatch(stderr, /PAWL/)
    t.match(said, [{ event: 'result' }])
  }
})

test('subscribers that throw do not break an upload', async (t) => {
  const dev = await smallUploads(t)
  const faults: Fault[] = [{ kind: 'status', status: 503 }]
  dev.server.setFault(({ partNumber }) =>
    partNumber === 2 ? faults.shift() : undefined,
  )
  const { said } = await runWatchedChild(jobFor(dev, { throws: true }))
  const results = said.filter(({ event }) => event === 'result')
  t.match(results, [{ parts: 2 }])
  const object = await dev.object('k')
  t.ok(object.equals(noise(2 * part)))
  const uncaught = said
    .filter(({ event }) => event === 'uncaught')
    .map(({ message }) => message)
  for (const message of ['upload start', 'part asyncEnd', 'request error']) {
    t.ok(uncaught.includes(message), message)
  }
})
