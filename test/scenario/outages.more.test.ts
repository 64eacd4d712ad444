/** Real servers that are away for a while, in real time. */
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import {
  createResumableUploadStream,
  ossStore,
  UploadError,
  type ObjectStore,
  type UploadResult,
  type UploadStreamOptions,
} from '../../lib/index.js'
import type { RetryEvent } from '../../lib/upload/options/events.js'
import { besideEachOther } from '../support/beside.js'
import { cliDesk, endpointOf, small } from '../support/cli-desk.js'
import {
  bucket,
  devStore,
  keys,
  noise,
  smallPart,
} from '../support/dev-store.js'
import { lineTo } from '../support/line.js'
import { closedPort } from '../support/raw-server.js'
import { smallStore } from '../support/small-store.js'

const second = 1000
const key = 'backups/db.dump'
/** Bytes. */
const part = 4096

// They do nothing but wait.
const test = besideEachOther(t, 16)

interface Told {
  ending: UploadResult | UploadError
  retries: RetryEvent[]
}

/** A stream of parts; when some are stored and half of it is written, it happens. */
async function uploadWhile(
  store: ObjectStore,
  bytes: Buffer,
  happens: () => Promise<void>,
  options: Partial<UploadStreamOptions> = {},
): Promise<Told> {
  async function* source() {
    yield bytes.subarray(0, bytes.length / 2)
    await firstPart
    await happens()
    yield bytes.subarray(bytes.length / 2)
  }
  const upload = createResumableUploadStream({
    store,
    key,
    checkpoint: false,
    partSize: part,
    ...options,
  })
  const firstPart = once(upload, 'part')
  // Some uploads never have one.
  firstPart.catch(() => undefined)
  const retries: RetryEvent[] = []
  upload.on('retry', (event: RetryEvent) => retries.push(event))
  await pipeline(Readable.from(source()), upload).catch(() => undefined)
  const ending = await upload.result.catch((error: unknown) => error)
  if (ending instanceof UploadError || isResult(ending)) {
    return { ending, retries }
  }
  throw new Error('neither a result nor an UploadError', { cause: ending })
}

function isResult(ending: unknown): ending is UploadResult {
  return typeof ending === 'object' && ending !== null && 'etag' in ending
}

/** The longest of the whiles in which nothing was stored. */
function longest({ retries }: Told): number {
  return Math.max(0, ...retries.map(({ failingFor }) => failingFor))
}

for (const [away, inFlight] of [
  [8, 1],
  [8, 11],
  [8, 32],
  [30, 1],
  [30, 11],
  [30, 32],
  [90, 1],
  [90, 11],
  [90, 32],
] as const) {
  test(`${away} s away with ${inFlight} in flight`, async (t) => {
    const dev = await devStore(t, { minPartSize: 1 })
    const line = await lineTo(t, dev.server.endpoint)
    const store = smallStore(dev.another({ endpoint: line.endpoint }))
    const bytes = noise(inFlight * 8 * part)
    let mended: Promise<void> | undefined
    const cut = async (): Promise<void> => {
      await line.cut()
      mended = delay(away * second).then(() => line.mend())
    }
    const told = await uploadWhile(store, bytes, cut, { concurrency: inFlight })
    await mended
    t.match(told.ending, { size: bytes.length, verified: 'crc64' })
    t.ok(bytes.equals(await dev.object(key)))
    t.ok(longest(told) > 0, `${longest(told)} ms`)
    t.ok(longest(told) < (away + 20) * second, `${longest(told)} ms`)
    // Those in flight, whose connections are found dead first, and then one.
    const most = 2 * inFlight + 25
    t.ok(told.retries.length < most, `${told.retries.length} retries`)
  })
}

test('a server that is stopped for 8 s', async (t: Test) => {
  const d = await cliDesk(t)
  const server = d.start(['serve', 'objects', '--port', '0'])
  t.teardown(() => server.kill('SIGKILL'))
  const store = dev(t, await endpointOf(server))
  const bytes = noise(40 * smallPart)
  let resumed: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    server.kill('SIGSTOP')
    resumed = delay(8 * second).then(() => server.kill('SIGCONT'))
  }
  const told = await uploadWhile(store, bytes, stop, {
    concurrency: 11,
    partSize: smallPart,
    timeout: { connect: second, stall: second, headers: second },
  })
  await resumed
  t.match(told.ending, { size: bytes.length, verified: 'crc64' })
  const codes = new Set(told.retries.map(({ error }) => error.code))
  t.ok(codes.has('PAWL_TIMEOUT'), [...codes].join())
})

/** A store of small parts for an endpoint. */
function dev(t: Test, endpoint: string): ObjectStore {
  const store = ossStore({
    endpoint,
    region: 'cn-hangzhou',
    bucket,
    credentials: keys,
  })
  t.teardown(() => store.close())
  return smallStore(store)
}

test('an endpoint with a typing error: ten seconds', async (t) => {
  const { server } = await devStore(t)
  const { port } = new URL(server.endpoint)
  for (const endpoint of [
    `http://127.0.0.1:${await closedPort()}`,
    // It does not speak TLS.
    `https://127.0.0.1:${port}`,
  ]) {
    const store = dev(t, endpoint)
    const { ending } = await uploadWhile(store, noise(4 * part), async () => {})
    t.match(ending, { code: 'PAWL_NETWORK', transient: false, elapsed: Number })
    const { elapsed = 0 }: { elapsed?: number } = ending as UploadError
    t.ok(elapsed >= 10 * second && elapsed < 60 * second, `${elapsed} ms`)
  }
})

test('the command waits, and says so', async (t) => {
  const d = await cliDesk(t)
  const line = await lineTo(t, d.server.endpoint, '127.0.0.1')
  const url = `${line.endpoint}/examplebucket/db.dump`
  let isAway = false
  d.server.setFault(({ partNumber }) => {
    if (partNumber === 5 && !isAway) {
      isAway = true
      void line.cut().then(async () => {
        await delay(8 * second)
        await line.mend()
      })
    }
    return undefined
  })
  const end = await d.run(['put', ...small, 'db.dump', url])
  t.match(end, { code: 0, log: /again .*; nothing was stored for \ds/ })
  t.ok(d.bytes.equals(await d.object('db.dump')))
})

test('the command has as much patience as it is told', async (t) => {
  const d = await cliDesk(t)
  const line = await lineTo(t, d.server.endpoint, '127.0.0.1')
  const url = `${line.endpoint}/examplebucket/db.dump`
  d.server.setFault(({ partNumber }) => {
    if (partNumber === 5) void line.cut()
    return undefined
  })
  const words = ['put', ...small, '--patience', '3s']
  const first = await d.run([...words, 'db.dump', url])
  t.match(first, { code: 3, log: /PAWL_NETWORK/ })
  d.server.setFault(undefined)
  await line.mend()
  const again = await d.run([...words, 'db.dump', url])
  t.match(again, { code: 0 })
})
