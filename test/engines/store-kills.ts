/**
 * The store is the engine as well: it has the log of an upload in its bucket, and is
 * killed, or stopped for a while, at any moment. It is a process of its own, which
 * is started again on the same directory.
 */
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t, { type Test } from 'tap'
import {
  createResumableUploadStream,
  UploadError,
  type Checkpoint,
  type ObjectStore,
  type RetryOptions,
} from '../../lib/index.js'
import {
  beginUpload,
  completeUpload,
  uploadParts,
} from '../../lib/shared/index.js'
import { bareNode } from '../support/bare-node.js'
import { besideEachOther } from '../support/beside.js'
import { BucketLogs } from '../support/bucket-log.js'
import { compiledSources } from '../support/compiled.js'
import { noise, smallPart, temporaryDirectory } from '../support/dev-store.js'
import { ossOn } from '../support/leased-job.js'
import { randomFrom, seedFor } from '../support/seed.js'
import { wrapStore } from '../support/small-store.js'
import { storeCall } from '../support/store-call.js'
import { sized } from '../support/tier.js'
import { freePort, startEngine, type Engine } from './support/engine.js'

const test = besideEachOther(t, 4)
const size = 6 * smallPart + 7
const lease = 2000
/** Of calls that an upload makes of the store, its log's included. */
const mostCalls = 30

async function startStore(t: Test): Promise<Engine & { endpoint: string }> {
  const directory = await temporaryDirectory(t)
  const port = await freePort()
  const main = join(compiledSources(), 'lib/cli/main.js')
  const words = [main, 'serve', join(directory, 'objects')]
  const [command, args] = bareNode(...words, '--port', String(port))
  const engine = await startEngine(t, { command, args, port })
  const endpoint = `http://127.0.0.1:${port}`
  return Object.assign(Object.create(engine) as Engine, { endpoint })
}

interface Run {
  store: ObjectStore
  key: string
  checkpoint: Checkpoint
  bytes: Buffer
  /** Tells this run's source from others. */
  version: string
  retry: RetryOptions
}

const makers: Record<string, (run: Run) => Promise<void>> = {
  async 'a stream'({ store, key, checkpoint, bytes, retry }) {
    const options = { store, key, checkpoint, partSize: smallPart, retry }
    const upload = createResumableUploadStream({ ...options, concurrency: 2 })
    await pipeline(Readable.from([bytes]), upload).catch(() => undefined)
    await upload.result
  },
  async 'a ticket'({ store, key, checkpoint, bytes, retry, version }) {
    const sourceId = version
    const common = { store, retry }
    const begun = await beginUpload({
      ...common,
      key,
      size,
      partSize: smallPart,
      checkpoint,
      sourceId,
    })
    if ('done' in begun) return
    const receipts = await uploadParts(begun, {
      ...common,
      sourceId,
      async *source(offset, length) {
        yield bytes.subarray(offset, offset + length)
      },
    })
    await completeUpload(begun, { ...common, receipts, checkpoint })
  },
}

interface Outage {
  kills: number
  /** What befalls the store, and resolves when that is over. */
  happens: (store: Engine, random: () => number) => Promise<void>
}

const outages: Record<string, Outage> = {
  killed: {
    kills: sized({ fast: 1, more: 4, long: 100 }),
    async happens(store) {
      await store.kill()
      await store.restart()
    },
  },
  'stopped for a while': {
    kills: sized({ fast: 1, more: 2, long: 50 }),
    async happens(store, random) {
      store.signal('SIGSTOP')
      // Longer than the lease, now and then.
      await passed(random() * 1.5 * lease)
      store.signal('SIGCONT')
    },
  },
}

for (const [how, outage] of Object.entries(outages)) {
  for (const [what, make] of Object.entries(makers)) {
    const name = `the store is ${how} under ${what} ${outage.kills} times`
    test(name, (t) => playOutages(t, outage, make))
  }
}

async function playOutages(
  t: Test,
  { kills, happens }: Outage,
  make: (run: Run) => Promise<void>,
): Promise<void> {
  const server = await startStore(t)
  const own = ossOn(server.endpoint)
  t.teardown(() => own.close())
  const seed = seedFor()
  t.comment(`PAWL_SEED=${seed}`)
  const random = randomFrom(seed)
  const logs = new BucketLogs(own)
  for (let kill = 1; kill <= kills; kill++) {
    let left = Math.floor(random() * mostCalls)
    const pause = random() * 10
    let over: Promise<void> | undefined
    const store = wrapStore(own, {
      around: (_name, send) => {
        if (left-- <= 0) {
          over ??= passed(pause).then(() => happens(server, random))
        }
        return send()
      },
    })
    // Waited out by the run that it befalls, or the end of that.
    const attempts = kill % 2 === 0 ? 20 : 1
    const retry = { attempts, baseDelay: 20, maxDelay: 200 }
    const inBucket = new BucketLogs(store)
    const key = `object-${kill}`
    const log = (): Checkpoint => inBucket.log(key, { lease, unproven: true })
    let runs = 0
    let bytes: Buffer
    for (;;) {
      runs++
      const version = runs % 3 === 0 ? 'v2' : 'v1'
      bytes = noise(size, version === 'v1' ? 1 : 2)
      const run = { store, key, checkpoint: log(), bytes, version, retry }
      if (await isMade(make(run))) break
    }
    t.ok(over, `${kill}: it happened while the upload was under way`)
    await over
    t.ok(
      bytes.equals(await objectOf(own, key)),
      `${kill}: the last run’s bytes`,
    )
    const segments = await logs.segments(logs.log(key), 60)
    const isOver = /^\d+ removed$/.test(segments.at(-1) ?? '')
    t.ok(isOver, `${kill}: the log is over after ${runs} runs`)
  }
}

/** False when the same call is to be made again, after what it was told to wait. */
async function isMade(making: Promise<void>): Promise<boolean> {
  try {
    await making
    return true
  } catch (error) {
    if (!(error instanceof UploadError)) throw error
    // Begun again, it is another upload; and a store that has never answered may
    // be one that is not there.
    const isOver = ['PAWL_UPLOAD_GONE', 'PAWL_NETWORK'].includes(error.code)
    if (!error.transient && !isOver) throw error
    await passed(Math.max(50, error.retryAfter ?? 0))
    return false
  }
}

async function objectOf(store: ObjectStore, key: string): Promise<Buffer> {
  const found = await store.getObject?.(
    { key, maxBytes: 2 * size },
    storeCall(),
  )
  return Buffer.from(found?.bytes ?? [])
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
