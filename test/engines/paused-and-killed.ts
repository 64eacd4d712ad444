/**
 * A run that is paused behind each type of record until another has taken its log,
 * and wakes then; and one that is killed there. Whatever they do, the object is
 * exactly the bytes of one run, and never an older run's after a newer one's.
 */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t, { type Test } from 'tap'
import type { Fault } from '../../lib/dev-server/index.js'
import {
  createResumableUploadStream,
  UploadError,
  type UploadResult,
  type UploadStreamOptions,
} from '../../lib/index.js'
import { postgresTables } from '../../lib/lease/postgres.js'
import { besideEachOther } from '../support/beside.js'
import {
  devStore,
  noise,
  smallPart,
  type DevStore,
} from '../support/dev-store.js'
import { openPlace, type LeasedJob } from '../support/leased-job.js'
import { bodyFrom, storeCall } from '../support/store-call.js'
import { sized } from '../support/tier.js'
import { freshName } from './support/hold.js'
import { startLeasedChild, type LeasedChild } from './support/leased-child.js'
import { startPostgres } from './support/postgres-server.js'
import { startRedis } from './support/redis-server.js'

const redis = await startRedis(t)
const postgres = await startPostgres(t)
await postgres.pool().query(postgresTables)

const test = besideEachOther(t, 6)
const size = 4 * smallPart + 7
const lease = 1500

type EngineName = LeasedJob['engine']
const engines: Record<EngineName, (dev: DevStore) => string> = {
  redis: () => redis.url,
  postgres: () => postgres.url,
  bucket: (dev) => dev.server.endpoint,
}
const engineNames = Object.keys(engines) as EngineName[]
const records = ['intent', 'upload', 'part', 'completing', 'done']
/** Those that a run writes only after something else has happened. */
const rarer = ['log', 'void', 'closed', 'drop', 'told']

function jobOn(engine: EngineName, dev: DevStore, record: string): LeasedJob {
  return {
    engine,
    url: engines[engine](dev),
    name: freshName(),
    lease,
    endpoint: dev.server.endpoint,
    key: 'object',
    partSize: smallPart,
    size,
    seed: 1,
    stopAfter: record === 'drop' ? ['completing', 'drop'] : [record],
    keepsLog: record === 'told',
  }
}

/** A run with other options, which leaves its upload in the log. */
async function leaveUpload(dev: DevStore, job: LeasedJob): Promise<void> {
  const place = await openPlace(job)
  const upload = createResumableUploadStream({
    store: dev.store,
    key: job.key,
    partSize: job.partSize,
    checkpoint: place.checkpoint(),
    object: { contentType: 'text/earlier' },
  })
  upload.on('part', () => upload.destroy())
  upload.on('error', () => undefined)
  upload.write(noise(size, 3))
  await upload.result.catch(() => undefined)
  await place.close()
}

/** Another machine's bytes, in the place of a part that is stored. */
async function replacePart(dev: DevStore, { key }: LeasedJob): Promise<void> {
  const [open] = dev.server.openUploads()
  if (open === undefined) throw new Error('there is no upload')
  const { uploadId } = open
  const body = bodyFrom(noise(smallPart, 4))
  const part = { key, uploadId, partNumber: 2, size: smallPart, body }
  await dev.store.uploadPart(part, storeCall())
}

/** A run that has stopped behind its record. */
async function stoppedBehind(
  t: Test,
  dev: DevStore,
  job: LeasedJob,
  record: string,
): Promise<LeasedChild> {
  if (record === 'void' || record === 'closed') await leaveUpload(dev, job)
  const child = startLeasedChild(t, 'leased-child', job)
  await child.stopped()
  if (record !== 'drop') return child
  await replacePart(dev, job)
  child.goOn()
  await child.stopped()
  return child
}

/** The next run, in this process, which comes again while the log is held. */
async function nextRun(
  t: Test,
  dev: DevStore,
  job: LeasedJob,
  { seed, ...options }: Partial<UploadStreamOptions> & { seed: number },
): Promise<{ result: UploadResult; locked: number } | UploadError> {
  const place = await openPlace(job)
  t.teardown(() => place.close())
  for (let locked = 0; ; locked++) {
    const upload = createResumableUploadStream({
      store: dev.store,
      key: job.key,
      partSize: job.partSize,
      checkpoint: place.checkpoint(),
      ...options,
    })
    try {
      await pipeline(Readable.from([noise(size, seed)]), upload)
      return { result: await upload.result, locked }
    } catch {
      const failure: unknown = await upload.result.catch((error) => error)
      if (!(failure instanceof UploadError)) throw failure
      if (failure.code !== 'PAWL_CHECKPOINT_LOCKED') return failure
      // As who is told to come again does.
      const wait = Math.max(50, failure.retryAfter ?? 0)
      await new Promise((resolve) => {
        setTimeout(resolve, wait)
      })
    }
  }
}

const denied: Fault = { kind: 'status', status: 403, code: 'AccessDenied' }
type How = 'the same ID' | 'a new ID' | 'an Abort that is refused'
const hows: How[] = ['the same ID', 'a new ID', 'an Abort that is refused']

/** All in the last tier; before it the rarer records with half of what may follow. */
const isAll = sized({ fast: false, more: false, long: true })

function isPlayed(record: string, how: How, seed: number): boolean {
  if (isAll || !rarer.includes(record)) return true
  return (how === 'a new ID') === (seed === 2)
}

for (const engine of engineNames) {
  for (const record of [...records, ...rarer]) {
    for (const how of hows) {
      for (const seed of [1, 2]) {
        if (!isPlayed(record, how, seed)) continue
        const source = seed === 1 ? 'the same source' : 'another source'
        const name = `${engine}: paused behind ${record}, then ${how} and ${source}`
        test(name, (t) => pauseAndWake(t, { engine, record, how, seed }))
      }
    }
  }
}

async function pauseAndWake(
  t: Test,
  {
    engine,
    record,
    how,
    seed,
  }: { engine: EngineName; record: string; how: How; seed: number },
): Promise<void> {
  const dev = await devStore(t)
  const job = jobOn(engine, dev, record)
  const child = await stoppedBehind(t, dev, job, record)
  if (how === 'an Abort that is refused') {
    dev.server.setFault(({ operation }) =>
      operation === 'AbortMultipartUpload' ? denied : undefined,
    )
  }
  const object = how === 'the same ID' ? {} : { contentType: 'text/plain' }
  const next = await nextRun(t, dev, job, { seed, object })
  const woken = await child.wake()
  const [first, second] = [noise(size, 1), noise(size, seed)]
  const path = dev.server.objectPath('examplebucket', job.key)
  const found = path === undefined ? undefined : await dev.object(job.key)
  if (next instanceof UploadError) {
    // Nothing was sent by it: what is there is the first run's, whole.
    t.match(next, { code: 'PAWL_UPLOAD_CONTENDED', transient: false })
    t.equal(how, 'an Abort that is refused')
    t.ok(found === undefined || found.equals(first), 'one run’s bytes')
    return
  }
  t.equal(next.result.size, size)
  t.ok(found?.equals(second), `the newer run’s bytes; the older: ${woken.code}`)
  const refusal =
    record === 'drop' ? 'PAWL_COMPLETE_REFUSED' : 'PAWL_CHECKPOINT_LOST'
  if (woken.event === 'failed') t.equal(woken.code, refusal)
  const completes = dev
    .seen('CompleteMultipartUpload')
    .filter(({ status }) => status === 200)
  t.ok(completes.length <= 2, `${completes.length} Completes`)
}

for (const engine of engineNames) {
  for (const record of records) {
    test(`${engine}: killed behind ${record}`, async (t) => {
      const dev = await devStore(t)
      const job = jobOn(engine, dev, record)
      const child = await stoppedBehind(t, dev, job, record)
      await child.kill()
      const next = await nextRun(t, dev, job, { seed: 1 })
      if (next instanceof UploadError) throw next
      t.ok(noise(size, 1).equals(await dev.object(job.key)))
      t.ok(next.locked > 0, 'its lease is waited for')
      const numbers = dev.seen('UploadPart').map(({ partNumber }) => partNumber)
      if (record === 'completing' || record === 'done') {
        t.equal(numbers.length, 5, 'no part is sent twice')
      }
    })
  }
}
