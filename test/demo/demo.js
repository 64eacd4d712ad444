/**
 * The main job, with no account and no network: a real file goes up in parts,
 * the uploader is killed half way, and the same call finishes the rest; then the
 * same through gzip, a stream that cannot seek.
 *
 * Exits with 1 when anything is not as it says.
 */
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { createGzip } from 'node:zlib'
import { startDevServer } from '../../dist/dev-server/index.js'

const MiB = 1024 * 1024
const uploader = fileURLToPath(new URL('upload.js', import.meta.url))
const credentials = { accessKeyId: 'demo', accessKeySecret: 'demo-secret' }

const directory = await mkdtemp(join(tmpdir(), 'pawl-demo-'))
const server = await startDevServer({
  directory: join(directory, 'server'),
  buckets: ['demo'],
  credentials,
  // About as fast as a good line, so that there is something to watch.
  bytesPerSecond: 40 * MiB,
})
const problems = []

try {
  const file = process.execPath
  const { size } = await stat(file)
  console.log(`source: ${file}, ${(size / MiB).toFixed(1)} MiB`)
  console.log(`server: ${server.endpoint}, OSS, on this machine\n`)
  await show('as it is', file, 'node', 'plain')
  await show('through createGzip()', file, 'node.gz', 'gzip')
} finally {
  await server.close()
  await rm(directory, { recursive: true, force: true })
}

for (const problem of problems) console.error(`NOT SO: ${problem}`)
console.log(problems.length === 0 ? 'All as it should be.' : '')
process.exitCode = problems.length === 0 ? 0 : 1

async function show(title, file, key, how) {
  console.log(`=== ${title} ===`)
  const expected = await sourceDigest(file, how)
  const half = Math.floor(expected.size / 2)
  const from = server.requests.length

  console.log('first run:')
  const first = start(file, key, how)
  await storedAtLeast(half, from)
  first.kill('SIGKILL')
  await once(first, 'close')
  const stored = partNumbers(from, server.requests.length)
  const secondFrom = server.requests.length
  console.log(`  killed with SIGKILL: ${stored.length} parts are stored\n`)

  console.log('the same call again:')
  const second = start(file, key, how)
  const [[result], [code]] = await Promise.all([
    Promise.race([once(second, 'message'), once(second, 'close')]),
    once(second, 'close'),
  ])
  check(code === 0, `${title}: the second run ended with ${code}`)
  const sent = partNumbers(secondFrom, server.requests.length)
  const again = sent.filter((part) => stored.includes(part))
  const found = await digestOf(createReadStream(server.objectPath('demo', key)))

  const wire = (start, end) => bytesOnTheWire(start, end) / MiB
  console.log(`  parts sent      ${sent.length}`)
  console.log(`  parts reused    ${result.partsReused}`)
  console.log(`  sent twice      ${again.length}`)
  console.log(
    `  on the wire     ${wire(from, secondFrom).toFixed(1)} MiB + ${wire(secondFrom, server.requests.length).toFixed(1)} MiB, object ${(expected.size / MiB).toFixed(1)} MiB`,
  )
  console.log(`  verified by     ${result.verified}`)
  console.log(`  SHA-256 source  ${expected.digest}`)
  console.log(`  SHA-256 object  ${found.digest}\n`)

  check(found.digest === expected.digest, `${title}: the object is the source`)
  check(
    result.partsReused + sent.length === result.parts,
    `${title}: every part was either sent or reused`,
  )
  check(stored.length > 0, `${title}: parts were stored before the kill`)
  check(
    result.partsReused >= stored.length,
    `${title}: every part stored at the kill was reused`,
  )
  check(again.length === 0, `${title}: no stored part was sent again`)
}

function start(file, key, how) {
  return fork(
    uploader,
    [server.endpoint, file, key, join(directory, `${key}.pawl`), how],
    {
      env: {
        ...process.env,
        OSS_ACCESS_KEY_ID: credentials.accessKeyId,
        OSS_ACCESS_KEY_SECRET: credentials.accessKeySecret,
      },
    },
  )
}

function check(isSo, what) {
  if (!isSo) problems.push(what)
}

async function storedAtLeast(bytes, from) {
  for (;;) {
    const stored = server.requests
      .slice(from)
      .filter((r) => r.operation === 'UploadPart' && r.applied)
      .reduce((sum, r) => sum + r.bytes, 0)
    if (stored >= bytes) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function partNumbers(from, to) {
  return server.requests
    .slice(from, to)
    .filter((r) => r.operation === 'UploadPart' && r.applied)
    .map((r) => r.partNumber)
}

function bytesOnTheWire(from, to) {
  return server.requests.slice(from, to).reduce((sum, r) => sum + r.bytes, 0)
}

function sourceDigest(file, how) {
  const source = createReadStream(file)
  return digestOf(how === 'gzip' ? source.pipe(createGzip()) : source)
}

async function digestOf(stream) {
  const hash = createHash('sha256')
  let size = 0
  await pipeline(stream, async (chunks) => {
    for await (const chunk of chunks) {
      hash.update(chunk)
      size += chunk.length
    }
  })
  return { digest: hash.digest('hex'), size }
}
