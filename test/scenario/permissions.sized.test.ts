/**
 * What docs/permissions.md says: the right to write is enough for every upload
 * that nothing happens to, and what each other right is for.
 */
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Fault, Operation } from '../../lib/dev-server/index.js'
import { listUploads, type ObjectStore } from '../../lib/index.js'
import { besideEachOther } from '../support/beside.js'
import { noise, smallPart } from '../support/dev-store.js'
import { dialects } from '../support/dialects.js'
import { mustBe, suspendAfter } from '../support/lost-answers.js'
import {
  key,
  part,
  send,
  smallUploads,
  until,
} from '../support/small-upload.js'
import type { SmallUploads } from '../support/small-upload.js'
import { sized } from '../support/tier.js'
import { startUpload } from '../support/upload-child.js'

const test = besideEachOther(t)

const denied: Fault = { kind: 'status', status: 403, code: 'AccessDenied' }
const bytes = noise(5 * part + 7)
/** Put in one request. */
const short = bytes.subarray(0, 10)
/** ms; an object that is not found is looked for so long. */
const timeout = { complete: 1200 }

const writing: readonly Operation[] = [
  'CreateMultipartUpload',
  'UploadPart',
  'CompleteMultipartUpload',
  'PutObject',
]

interface Rights {
  name: string
  without: readonly Operation[]
  /** What becomes of a Complete whose answer was lost: the codes of the runs. */
  lost?: { OSS: string[] }
}

const everyRight: Rights[] = [
  {
    name: 'the right to write alone',
    without: [
      'HeadObject',
      'ListParts',
      'AbortMultipartUpload',
      'ListMultipartUploads',
    ],
    lost: {
      OSS: ['PAWL_COMPLETE_UNKNOWN', 'PAWL_UPLOAD_GONE'],
    },
  },
  {
    name: 'no right to look at objects',
    without: ['HeadObject'],
    lost: { OSS: ['PAWL_COMPLETE_UNKNOWN'] },
  },
  { name: 'no right to list parts', without: ['ListParts'] },
  { name: 'no right to abort', without: ['AbortMultipartUpload'] },
  { name: 'no right to list uploads', without: ['ListMultipartUploads'] },
]
// The first lacks them all.
const few = everyRight.slice(0, 1)
const rights = sized({ fast: few, more: everyRight, long: everyRight })

/** Takes rights away; what else becomes of requests is `more`'s. */
function takeAway(
  { server }: SmallUploads,
  operations: readonly Operation[],
  more: (operation: Operation) => Fault | undefined = () => undefined,
): void {
  server.setFault(({ operation }) =>
    operations.includes(operation) ? denied : more(operation),
  )
}

/** The first answer to what makes the object is lost. */
function losesAnswer(): (operation: Operation) => Fault | undefined {
  let isLost = false
  return (operation) => {
    if (isLost || !/^(Complete|PutObject)/.test(operation)) return undefined
    isLost = true
    return { kind: 'reply-lost' }
  }
}

/** Codes of failed runs, until one succeeds or `most` have failed. */
async function runUntilDone(
  dev: SmallUploads,
  source: Buffer,
  options: { store: ObjectStore; most: number },
): Promise<string[]> {
  const codes: string[] = []
  const { store, most } = options
  while (codes.length < most) {
    const upload = dev.upload({ store, timeout })
    upload.on('error', () => undefined)
    upload.end(source)
    const code = await upload.result.then(
      () => undefined,
      (error: { code: string }) => error.code,
    )
    if (code === undefined) return codes
    codes.push(code)
  }
  return codes
}

for (const { name: dialect, store: storeOf } of dialects) {
  for (const { name, without, lost } of rights) {
    const open = async (t: Test) => {
      const dev = await smallUploads(t)
      const store = storeOf(dev)
      t.teardown(() => store.close())
      return { dev, store }
    }
    const mayList = !without.includes('ListParts')

    test(`${dialect}, ${name}: an object is made, long or short`, async (t) => {
      const { dev, store } = await open(t)
      takeAway(dev, without)
      for (const source of [bytes, short]) {
        t.match(await dev.run(source, { store }), { checkpointLeft: false })
        await mustBe(t, dev, source)
      }
      const asked = new Set(
        dev.server.requests.map(({ operation }) => operation),
      )
      t.same(asked, new Set(writing), 'nothing but writing is asked for')
      t.same(dev.server.openUploads(), [])
    })

    test(`${dialect}, ${name}: a suspended upload is gone on with`, async (t) => {
      const { dev, store } = await open(t)
      takeAway(dev, without)
      await suspendAfter(dev, bytes, 3, { store })
      const before = dev.server.requests.length
      const result = await dev.run(bytes, { store })
      t.match(result, { resumed: true, partsReused: mayList ? 3 : 2 })
      await mustBe(t, dev, bytes)
      const probe = mayList ? [] : [1]
      t.same(dev.partsSince(before), [...probe, 4, 5, 6])
    })

    test(`${dialect}, ${name}: a Complete whose answer was lost`, async (t) => {
      const { dev, store } = await open(t)
      takeAway(dev, without, losesAnswer())
      const expected = (dialect === 'OSS' ? lost?.OSS : undefined) ?? []
      const most = Math.max(expected.length, 1)
      t.same(await runUntilDone(dev, bytes, { store, most }), expected)
      t.ok(bytes.equals(await dev.object(key)), 'the object is whole')
      t.equal(dev.logExists(), expected.length === most)
      // Whatever it was, all rights put an end to it.
      dev.server.setFault(undefined)
      await dev.run(bytes, { store })
      await mustBe(t, dev, bytes)
      t.same(dev.server.openUploads(), [])
    })

    test(`${dialect}, ${name}: a PutObject whose answer was lost`, async (t) => {
      const { dev, store } = await open(t)
      takeAway(dev, without, losesAnswer())
      await dev.run(short, { store })
      await mustBe(t, dev, short)
      const puts = without.includes('HeadObject') ? 2 : 1
      t.equal(dev.seen('PutObject').length, puts)
    })

    test(`${dialect}, ${name}: an upload that other options end`, async (t) => {
      const { dev, store } = await open(t)
      takeAway(dev, without)
      const { uploadId } = await suspendAfter(dev, bytes, 3, { store })
      const object = { contentType: 'text/plain' }
      const result = await dev.run(bytes, { store, object })
      t.ok(bytes.equals(await dev.object(key)))
      const isLeft = without.includes('AbortMultipartUpload')
      t.same(result.uploadsLeft, isLeft ? [uploadId] : undefined)
      t.equal(result.checkpointLeft, isLeft)
      t.equal(dev.server.openUploads().length, isLeft ? 1 : 0)
    })
  }

  for (const operation of writing) {
    test(`${dialect}, no right to ${operation}: refused, and gone on with`, async (t) => {
      const dev = await smallUploads(t)
      const store = storeOf(dev)
      t.teardown(() => store.close())
      takeAway(dev, [operation])
      const source = operation === 'PutObject' ? short : bytes
      const error = await dev.fail(source, { store })
      t.match(error, {
        code: 'PAWL_ACCESS_DENIED',
        serverCode: 'AccessDenied',
        transient: false,
        resumable: !/^(Create|Put)/.test(operation),
      })
      t.equal(dev.logExists(), error.resumable)
      dev.server.setFault(undefined)
      const { resumed } = await dev.run(source, { store })
      t.equal(resumed, error.resumable)
      await mustBe(t, dev, source)
    })
  }
}

/** Records of parts that are in the log on the disk. */
function partRecords({ log }: SmallUploads): number {
  return readFileSync(log, 'latin1').split(' part {').length - 1
}

for (const { name, without } of rights) {
  test(`${name}: an upload that was killed is gone on with`, async (t) => {
    const dev = await smallUploads(t)
    const source = noise(5 * smallPart + 7)
    const file = join(dev.directory, 'source')
    await writeFile(file, source)
    dev.server.setFault(({ operation, partNumber = 0 }) => {
      if (without.includes(operation)) return denied
      return partNumber > 3 ? { kind: 'silence' } : undefined
    })
    const child = startUpload({
      endpoint: dev.server.endpoint,
      key,
      checkpoint: dev.log,
      file,
      partSize: smallPart,
      concurrency: 1,
      gzip: false,
    })
    await child.hearsThat(({ partNumber }) => partNumber === 3)
    await until(() => partRecords(dev) === 3)
    child.kill()
    t.match(await child.ended, { signal: 'SIGKILL' })
    takeAway(dev, without)
    const before = dev.server.requests.length
    t.match(await dev.run(source), { resumed: true, checkpointLeft: false })
    await mustBe(t, dev, source)
    const probe = without.includes('ListParts') ? [1] : []
    t.same(dev.partsSince(before), [...probe, 4, 5, 6])
  })
}

test('where a Complete may be under way, the right that is missing is named', async (t) => {
  const dev = await smallUploads(t)
  const without: Operation[] = ['HeadObject', 'AbortMultipartUpload']
  takeAway(dev, without, (operation) =>
    operation === 'CompleteMultipartUpload' ? { kind: 'silence' } : undefined,
  )
  t.match(await dev.fail(bytes, { timeout }), {
    code: 'PAWL_COMPLETE_UNKNOWN',
    transient: true,
  })
  const before = dev.server.requests.length
  // Another object: the upload that is still listed has to be ended first.
  const object = { contentType: 'text/plain' }
  t.match(await dev.fail(bytes, { timeout, object }), {
    code: 'PAWL_UPLOAD_CONTENDED',
    message: /AbortMultipartUpload is needed/,
    transient: false,
  })
  t.same(dev.partsSince(before), [], 'nothing was sent')
})

test('no right to look: only the server keeps what may not be overwritten', async (t) => {
  for (const source of [bytes, short]) {
    const dev = await smallUploads(t)
    await dev.run(noise(9))
    takeAway(dev, ['HeadObject'])
    const object = { forbidOverwrite: true }
    t.match(await dev.fail(source, { object }), {
      code: 'PAWL_ALREADY_EXISTS',
      status: 409,
      transient: false,
    })
    t.ok(noise(9).equals(await dev.object(key)), 'it is as it was')
  }
})

test('no right to look: what may be there is not discarded', async (t) => {
  for (const [source, operation] of [
    [bytes, 'CompleteMultipartUpload'],
    [short, 'PutObject'],
  ] as const) {
    const dev = await smallUploads(t)
    takeAway(dev, ['HeadObject'], (name) =>
      name === operation ? { kind: 'silence', apply: true } : undefined,
    )
    const upload = dev.upload()
    const sending = send(upload, source).catch(() => undefined)
    await until(() => dev.seen(operation)[0]?.applied === true)
    upload.destroy()
    await sending
    const later = dev.upload()
    later.on('error', () => undefined)
    await t.rejects(later.discard(), {
      code: 'PAWL_ACCESS_DENIED',
      message: /may not look whether the object is there/,
    })
    t.ok(dev.logExists())
    dev.server.setFault(undefined)
    await dev.run(source)
    await mustBe(t, dev, source)
    t.equal(dev.seen(operation).length, 1, 'the object was there')
  }
})

test('no right to abort: discard() says so and keeps the log', async (t) => {
  const dev = await smallUploads(t)
  await suspendAfter(dev, bytes, 3)
  takeAway(dev, ['AbortMultipartUpload'])
  const upload = dev.upload()
  upload.on('error', () => undefined)
  await t.rejects(upload.discard(), { code: 'PAWL_ACCESS_DENIED' })
  t.ok(dev.logExists())
  t.equal(dev.server.openUploads().length, 1)
})

test('no right to list uploads: one whose Initiate was lost is left', async (t) => {
  const dev = await smallUploads(t)
  let isLost = false
  takeAway(dev, ['ListMultipartUploads'], (operation) => {
    if (isLost || operation !== 'CreateMultipartUpload') return undefined
    isLost = true
    return { kind: 'reply-lost' }
  })
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.ok(dev.seen('ListMultipartUploads').length > 0)
  t.match(dev.server.openUploads(), [{ parts: 0 }])
  await t.rejects(listUploads(dev.store, { prefix: key }).next(), {
    code: 'PAWL_ACCESS_DENIED',
  })
})
