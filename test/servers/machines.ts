/**
 * The log in the bucket, and one object by several machines, on a real server: they
 * work, or are refused with the reason. What is found is what docs/machines.md says
 * of the server.
 */
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import {
  CreateBucketCommand,
  PutBucketVersioningCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import {
  bucketCheckpoint,
  createResumableUploadStream,
  listUploads,
  StoreError,
  type ObjectStore,
} from '../../lib/index.js'
import {
  beginUpload,
  completeUpload,
  uploadParts,
  type PartReceipt,
  type Ticket,
} from '../../lib/shared/index.js'
import { checkpointContract } from '../../lib/testing/index.js'
import { keysOf } from '../contract/target.js'
import { environmentTarget } from '../contract/targets.js'
import { checkpointOf } from '../contract/uploads.js'
import { BucketLogs } from '../support/bucket-log.js'
import { noise, sha256 } from '../support/dev-store.js'
import { failureIn } from '../support/shared-upload.js'
import { bodyFrom, storeCall } from '../support/store-call.js'

const target = environmentTarget(t)
const { partSize, other, behaviours } = target
const bytes = noise(4 * partSize + 99)
const size = bytes.length
const parts = 5

/** What the table of docs/machines.md says: of a server, in a bucket of this kind. */
function saidOf(server: string): string {
  const path = fileURLToPath(new URL('../../docs/machines.md', import.meta.url))
  const rows = readFileSync(path, 'utf8').split('\n')
  const row = rows.find((one) => one.startsWith(`| ${server} `))
  return row?.split('|')[2]?.trim() ?? ''
}

async function* range(offset: number, length: number) {
  yield bytes.subarray(offset, offset + length)
}

async function begun(
  store: ObjectStore,
  key: string,
): Promise<{ ticket: Ticket; checkpoint: () => ReturnType<typeof logOf> }> {
  const checkpoint = () => logOf(store, key)
  const options = { store, key, size, partSize }
  const ticket = await beginUpload({ ...options, checkpoint: checkpoint() })
  if ('done' in ticket) throw new Error('the object was not to be there')
  return { ticket, checkpoint }
}

function logOf(store: ObjectStore, key: string) {
  return bucketCheckpoint({ store, key, prefix: `${target.prefix}logs/` })
}

async function openUploads(t: Test, store: ObjectStore): Promise<number> {
  const { prefix } = target
  const found: string[] = []
  for await (const { uploadId } of listUploads(store, {
    prefix,
    sizes: false,
  })) {
    found.push(uploadId)
  }
  t.comment(`${found.length} uploads are open`)
  return found.length
}

/** PUTs of one new name at once, each only where there is none; how many succeed. */
async function madeAtOnce(store: ObjectStore, key: string): Promise<number> {
  const put = async (number: number): Promise<boolean> => {
    const body = Buffer.from(`${number}`)
    try {
      await store.putObject(
        {
          key,
          object: { forbidOverwrite: true },
          size: body.length,
          body: bodyFrom(body),
        },
        storeCall(),
      )
      return true
    } catch (error) {
      if (error instanceof StoreError && error.kind === 'exists') return false
      throw error
    }
  }
  const made = await Promise.all(Array.from({ length: 12 }, (_, i) => put(i)))
  return made.filter(Boolean).length
}

/** A bucket of the server with versions, which goes with the server. */
async function versionedBucket(): Promise<string> {
  const name = 'with-versions'
  const value = (of: string): string => process.env[`S3_${of}`] ?? ''
  const client = new S3Client({
    endpoint: value('ENDPOINT'),
    region: value('REGION'),
    forcePathStyle: true,
    credentials: {
      accessKeyId: value('ACCESS_KEY_ID'),
      secretAccessKey: value('SECRET_ACCESS_KEY'),
    },
  })
  try {
    await client.send(new CreateBucketCommand({ Bucket: name }))
    await client.send(
      new PutBucketVersioningCommand({
        Bucket: name,
        VersioningConfiguration: { Status: 'Enabled' },
      }),
    )
  } finally {
    client.destroy()
  }
  return name
}

async function keepsCondition(t: Test): Promise<void> {
  const store = target.store(t)
  const keys = keysOf(t, target)
  t.match(saidOf('Ceph, one zone, without versions'), /^yes$/)

  await t.test('of twelve PUTs at once one makes the object', async (t) => {
    t.equal(await madeAtOnce(store, keys('at-once')), 1)
  })

  await t.test('the contract of a log, in the bucket', async (t) => {
    const logs = new BucketLogs(store)
    const prefix = `${target.prefix}contract/`
    const cases = checkpointContract({
      checkpoint: (log) => logs.log(log, { prefix }),
      kill: (checkpoint) => logs.endLease(checkpoint),
    })
    t.ok(cases.length > 10)
    for (const { name, run } of cases) await t.test(name, run)
  })

  await t.test('an upload goes on by its log in the bucket', async (t) => {
    const key = keys('resumed')
    const upload = () =>
      createResumableUploadStream({
        store,
        key,
        partSize,
        checkpoint: logOf(store, key),
      })
    const first = upload()
    let sent = 0
    first.on('part', () => {
      if (++sent === 2) first.destroy()
    })
    await t.rejects(pipeline(Readable.from([bytes]), first))
    await first.result.catch(() => undefined)
    const second = upload()
    await pipeline(Readable.from([bytes]), second)
    const result = await second.result
    t.match(result, { size, parts, resumed: true })
    t.ok(result.partsReused >= 2, `${result.partsReused} parts reused`)
    t.equal(await other.sha256(key), sha256(bytes))
  })

  await t.test('one object by several machines', async (t) => {
    const key = keys('shared')
    const { ticket, checkpoint } = await begun(store, key)
    const again = await begun(store, key)
    t.same(again.ticket, ticket, 'the same call, the same ticket')
    const receipts: PartReceipt[][] = await Promise.all(
      [[1, 3] as const, [3, 5] as const].map((ofOne) =>
        uploadParts(ticket, {
          store: target.store(t),
          source: range,
          parts: ofOne,
        }),
      ),
    )
    const complete = () =>
      completeUpload(ticket, {
        store,
        checkpoint: checkpoint(),
        receipts: receipts.flat(),
      })
    const result = await complete()
    t.match(result, { size, parts, verified: 'md5' })
    t.equal(await other.sha256(key), sha256(bytes))
    t.match(await complete(), { size, parts }, 'claimed the second time')
    const late = uploadParts(ticket, { store, source: range, parts: [2, 2] })
    t.match(await failureIn(late), { code: 'PAWL_UPLOAD_GONE' })
    t.equal(await other.sha256(key), sha256(bytes), 'a late part does nothing')
  })

  await t.test('in a bucket with versions both are refused', async (t) => {
    t.match(saidOf('Ceph, a bucket with versions'), /^refused/)
    const bucket = await versionedBucket()
    const versioned = target.store(t, { bucket })
    t.equal(await madeAtOnce(versioned, 'at-once'), 12, 'all of them make it')
    const refusal = {
      code: 'PAWL_LOCK_UNSUPPORTED',
      message: /of 8 made it; use a bucket without versions/,
      transient: false,
    }
    t.match(await failureIn(logOf(versioned, 'a').open()), refusal)
    t.match(await failureIn(begun(versioned, 'b')), refusal)
    const stream = createResumableUploadStream({
      store: versioned,
      key: 'c',
      partSize,
      checkpoint: logOf(versioned, 'c'),
    })
    await t.rejects(pipeline(Readable.from([bytes]), stream), refusal)
    await stream.result.catch(() => undefined)
    t.equal(await openUploads(t, versioned), 0, 'nothing was begun')
  })
}

async function refusesBoth(t: Test): Promise<void> {
  const store = target.store(t)
  const keys = keysOf(t, target)
  t.match(saidOf('OpenStack Swift'), /^refused/)

  await t.test('a log in the bucket is refused, with the reason', async (t) => {
    const refusal = {
      code: 'PAWL_LOCK_UNSUPPORTED',
      message: /keep an object from being made twice/,
      transient: false,
    }
    const failure = await failureIn(logOf(store, keys('log')).open())
    t.match(failure, refusal)
    t.comment(failure.message)
    t.match(await failureIn(begun(store, keys('ticket'))), refusal)
  })

  await t.test('so is one object by several machines', async (t) => {
    const key = keys('shared')
    const fresh = target.store(t)
    const refusal = { code: 'PAWL_INVALID_OPTION', message: /OpenStack Swift/ }
    const options = { store: fresh, key, size, partSize }
    const open = await openUploads(t, store)
    const checkpoint = await checkpointOf(t)
    t.match(await failureIn(beginUpload({ ...options, checkpoint })), refusal)
    t.equal(await openUploads(t, store), open, 'nothing is left there')
    // One that was made elsewhere.
    const ticket: Ticket = {
      pawl: 1,
      store: store.identity,
      key,
      uploadId: 'bm9uZQ',
      size,
      partSize,
      parts,
      sourceId: sha256(Buffer.from('')),
    }
    const sending = uploadParts(ticket, { store: fresh, source: range })
    t.match(await failureIn(sending), refusal)
    const completing = completeUpload(ticket, {
      store: fresh,
      checkpoint: await checkpointOf(t),
      receipts: [],
    })
    t.match(await failureIn(completing), refusal)
  })
}

/** A part that comes after Complete, as from a machine that was paused. */
async function takesLatePart(t: Test): Promise<boolean> {
  const store = target.store(t)
  const key = keysOf(t, target)('late')
  const upload = createResumableUploadStream({
    store,
    key,
    partSize,
    checkpoint: await checkpointOf(t),
  })
  await pipeline(Readable.from([bytes]), upload)
  const { uploadId = '' } = await upload.result
  const late = noise(partSize, 99)
  const body = bodyFrom(late)
  const part = { key, uploadId, partNumber: 2, size: late.length, body }
  return store.uploadPart(part, storeCall()).then(
    () => true,
    (error: unknown) => {
      t.match(error, { kind: 'no-upload' })
      return false
    },
  )
}

await t.test('a part that comes after Complete', async (t) => {
  const isTaken = behaviours.partsAfterComplete === 'listed'
  t.equal(await takesLatePart(t), isTaken)
})

await t.test(`beyond one machine, on ${target.name}`, (t) =>
  behaviours.overwriteByPut === 'refused' ? keepsCondition(t) : refusesBoth(t),
)
