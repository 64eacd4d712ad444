/**
 * Uploads under random faults and kills, for as long as asked:
 *
 *     npm run soak -- --minutes 30 --seed 42
 *
 * Each upload is run by processes that are killed at random while the server, in
 * this process, misbehaves at random, until one run comes through; then the
 * object is compared with the source. Prints a summary; exits with 1 when an
 * object was not its source's bytes, or an upload did not come through.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startDevServer } from '../../dist/dev-server/index.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() & 0x7fffffff) },
    lanes: { type: 'string', default: '2' },
  },
})
const minutes = Number(values.minutes)
const seed = Number(values.seed)
const random = randomFrom(seed)
const end = performance.now() + minutes * 60_000
const partSize = 100 * 1024
const key = 'soak'
const mostRuns = 200

const totals = {
  uploads: 0,
  runs: 0,
  kills: 0,
  faults: 0,
  bytes: 0,
  sentBytes: 0,
  resentBytes: 0,
  partsSentAgain: 0,
  mismatches: 0,
  unfinished: 0,
}
const peak = { child: 0, server: 0, descriptors: 0 }
const failures = new Map()

const faults = [
  { kind: 'refuse' },
  { kind: 'reset-body', afterBytes: 50_000 },
  { kind: 'reply-lost' },
  { kind: 'reply-cut' },
  { kind: 'status', status: 500, code: 'InternalError' },
  { kind: 'status', status: 500, code: 'InternalError', apply: true },
  { kind: 'status', status: 503, headers: { 'retry-after': '0' } },
  { kind: 'status', status: 429, headers: { 'retry-after': '1' }, early: true },
  { kind: 'status', status: 502, body: '<html>Bad Gateway</html>' },
  { kind: 'trickle', bytesPerSecond: 200_000 },
  { kind: 'delay', ms: 50 },
  { kind: 'wrong-crc' },
  { kind: 'wrong-etag' },
  { kind: 'silence' },
  { kind: 'silence', apply: true },
  { kind: 'stall', afterBytes: 1000 },
]

console.log(`seed ${seed}, ${minutes} minutes`)
const directory = await mkdtemp(join(tmpdir(), 'pawl-soak-'))
const baseline = await descriptors()
await Promise.all(
  Array.from({ length: Number(values.lanes) }, async (_, lane) => {
    for (let count = 0; performance.now() < end; count++) {
      await uploadOnce(join(directory, `${lane}-${count}`))
    }
  }),
)
await rm(directory, { recursive: true, force: true })
const left = (await descriptors()) - baseline
const MiB = 1024 * 1024
const summary = {
  seed,
  minutes,
  uploads: totals.uploads,
  runs: totals.runs,
  kills: totals.kills,
  faults: totals.faults,
  'MiB in objects': (totals.bytes / MiB).toFixed(1),
  'MiB sent': (totals.sentBytes / MiB).toFixed(1),
  'MiB sent again': (totals.resentBytes / MiB).toFixed(1),
  'parts stored at a kill and sent again': totals.partsSentAgain,
  mismatches: totals.mismatches,
  unfinished: totals.unfinished,
  'peak MiB of an upload': (peak.child / MiB).toFixed(0),
  'peak MiB of the server': (peak.server / MiB).toFixed(0),
  'descriptors at the most': peak.descriptors,
  'descriptors left': left,
  'runs that failed': Object.fromEntries(failures),
}
for (const [name, value] of Object.entries(summary)) {
  console.log(
    `${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`,
  )
}
if (totals.mismatches > 0 || totals.unfinished > 0) process.exitCode = 1

async function uploadOnce(path) {
  const server = await startDevServer()
  const parts = 3 + Math.floor(random() * 30)
  const bytes = noise(parts * partSize + Math.floor(random() * partSize))
  await writeFile(`${path}.source`, bytes)
  const digest = sha256(bytes)
  const rate = random() * 0.3
  server.setFault(() => {
    if (random() >= rate) return undefined
    totals.faults++
    return faults[Math.floor(random() * faults.length)]
  })
  const stored = new Set()
  let isDone = false
  for (let runs = 0; runs < mostRuns && !isDone; runs++) {
    // The last ones are left in peace, so that an end comes.
    if (runs > 20) server.setFault(undefined)
    const since = server.requests.length
    const lives = runs > 12 || random() < 0.2 ? undefined : random() * 1500
    const { code, said } = await runOnce(server, path, lives)
    totals.runs++
    if (code === null) totals.kills++
    else if (code !== 0) failures.set(said, (failures.get(said) ?? 0) + 1)
    isDone = code === 0
    count(server, since, stored, code === null)
  }
  const object = server.objectPath('examplebucket', key)
  if (!isDone || object === undefined) {
    totals.unfinished++
    console.log(`not finished: ${path}`)
  } else if (sha256(await readFile(object)) !== digest) {
    totals.mismatches++
    console.log(`not the source: ${path}`)
  }
  totals.uploads++
  totals.bytes += bytes.length
  totals.resentBytes +=
    server.requests
      .filter(({ operation }) => operation === 'UploadPart')
      .reduce((sum, request) => sum + request.bytes, 0) - bytes.length
  peak.server = Math.max(peak.server, process.memoryUsage.rss())
  peak.descriptors = Math.max(peak.descriptors, await descriptors())
  await server.close()
  await rm(`${path}.source`)
}

/** Parts that were stored when a run was killed must not be sent again. */
function count(server, since, stored, isKilled) {
  for (const request of server.requests.slice(since)) {
    if (request.operation !== 'UploadPart') continue
    totals.sentBytes += request.bytes
    const id = `${request.uploadId} ${request.partNumber}`
    if (stored.has(id)) totals.partsSentAgain++
  }
  stored.clear()
  if (!isKilled) return
  for (const request of server.requests) {
    if (request.operation === 'UploadPart' && request.status === 200) {
      stored.add(`${request.uploadId} ${request.partNumber}`)
    }
  }
}

function runOnce(server, path, lives) {
  return new Promise((resolve) => {
    const job = { endpoint: server.endpoint, path, partSize, key }
    const child = spawn(
      process.execPath,
      [new URL('soak-child.js', import.meta.url).pathname, JSON.stringify(job)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let said = ''
    child.stdout.on('data', (chunk) => (said += chunk))
    const timer =
      lives === undefined
        ? undefined
        : setTimeout(() => child.kill('SIGKILL'), lives)
    child.once('close', (code) => {
      clearTimeout(timer)
      const [word = '', rss = '0'] = said.trim().split(' ')
      peak.child = Math.max(peak.child, Number(rss) * 1024)
      resolve({ code, said: word })
    })
  })
}

async function descriptors() {
  return (await readdir('/proc/self/fd').catch(() => [])).length
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex')
}

function noise(size) {
  const bytes = Buffer.allocUnsafe(size)
  let state = Math.floor(random() * 2 ** 32) || 1
  for (let at = 0; at < size; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[at] = state & 0xff
  }
  return bytes
}

/** Mulberry32. */
function randomFrom(start) {
  let state = start >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
