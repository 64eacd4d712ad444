/**
 * An object that is there already is taken for this run's only when the source
 * is proved to be its bytes: by the records that its Complete named, or by its
 * CRC-64.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { uploadFile, type UploadStreamOptions } from '../../lib/index.js'
import { StoreError } from '../../lib/store/store-error.js'
import { noise } from '../support/dev-store.js'
import { wrapStore } from '../support/small-store.js'
import {
  key,
  part,
  send,
  smallUploads,
  type SmallUploads,
} from '../support/small-upload.js'
import { storeCall } from '../support/store-call.js'

const ours = noise(3 * part + 100, 5)
const theirs = Buffer.from(ours).fill(7, 2 * part, 3 * part)

type Options = Partial<UploadStreamOptions>

const vetoed: Options = {
  beforeComplete: () => {
    throw new Error('not yet')
  },
}

/** Complete is never answered, and made only when `isMade`. */
function unheard({ small }: SmallUploads, isMade: boolean): Options {
  const store = wrapStore(small, {
    around: async (call, run) => {
      if (call !== 'completeUpload' && call !== 'headObject') return run()
      if (call === 'completeUpload' && isMade) await run()
      throw new StoreError('lost', { kind: 'network' })
    },
  })
  return { store, retry: { attempts: 1 } }
}

/** What puts the bytes of the first run under the key, when nobody expects it. */
async function putUnder(dev: SmallUploads, bytes: Buffer): Promise<void> {
  const whole = { checkpoint: false, partSize: 10 * part } as const
  await dev.run(bytes, whole)
}

async function abortAll(dev: SmallUploads): Promise<void> {
  for (const { uploadId } of dev.server.openUploads()) {
    await dev.small.abortUpload({ key, uploadId }, storeCall())
  }
}

/** A run over `bytes`, from a stream or from a file; its error, when it fails. */
type Run = (
  dev: SmallUploads,
  bytes: Buffer,
  options?: Options,
) => Promise<unknown>

const sources: [string, Run][] = [
  [
    'a stream',
    async (dev, bytes, options) => {
      const upload = dev.upload(options)
      await send(upload, bytes).catch(() => undefined)
      return upload.result.catch((error: unknown) => error)
    },
  ],
  [
    'a file',
    async (dev, bytes, options) => {
      const path = join(dev.directory, 'source')
      await writeFile(path, bytes)
      return uploadFile(path, {
        store: dev.small,
        key,
        checkpoint: dev.log,
        partSize: part,
        multipartThreshold: 0,
        retry: { attempts: 5, baseDelay: 1, maxDelay: 2 },
        ...options,
      }).catch((error: unknown) => error)
    },
  ],
]

for (const [name, run] of sources) {
  for (const isGone of [false, true]) {
    const upload = isGone ? 'is gone' : 'is still there'
    await t.test(
      `${name}: the object of an earlier Complete is not that of a later run, when the upload ${upload}`,
      async (t) => {
        const dev = await smallUploads(t)
        const first = await run(dev, ours, unheard(dev, false))
        t.match(first, { resumable: true })
        const second = await run(dev, theirs, vetoed)
        t.match(second, { code: 'PAWL_BEFORE_COMPLETE' })
        await putUnder(dev, ours)
        if (isGone) await abortAll(dev)
        const third = await run(dev, theirs)
        t.match(third, {
          verified: 'crc64',
          partsReused: isGone ? 0 : 4,
        })
        t.ok(theirs.equals(await dev.object(key)), 'the object is the source')
        t.notOk(dev.logExists())
      },
    )
  }
}

await t.test('an unheard Complete is claimed, whatever was lost', async (t) => {
  for (const [name, lost] of [
    ['nothing', []],
    ['a record', [2]],
    ['every record', [1, 2, 3, 4]],
  ] as const) {
    const dev = await smallUploads(t)
    t.match(await dev.fail(ours, unheard(dev, true)), { resumable: true })
    for (const number of lost) await damage(t, dev, number)
    const before = dev.server.requests.length
    const result = await dev.run(ours)
    t.match(result, { resumed: true, partsReused: 4, verified: 'crc64' }, name)
    t.same(dev.partsSince(before), [], 'nothing is sent')
    t.notOk(dev.logExists())
  }
})

await t.test(
  'where a record is lost, the CRC-64 of the whole decides',
  async (t) => {
    const dev = await smallUploads(t)
    await dev.fail(ours, unheard(dev, true))
    // Of the part in which the source differs.
    await damage(t, dev, 3)
    t.match(await dev.fail(theirs), {
      code: 'PAWL_SOURCE_CHANGED',
      resumable: false,
      transient: true,
    })
    t.ok(ours.equals(await dev.object(key)), 'nothing was made of it')
    await dev.run(theirs)
    t.ok(theirs.equals(await dev.object(key)), 'the next run makes it')
  },
)

/** Makes the records of a part unreadable. */
async function damage(
  t: Test,
  { log }: SmallUploads,
  number: number,
): Promise<void> {
  const text = await readFile(log, 'latin1')
  const lines = text.split('\n')
  const damaged = lines.map((line) =>
    line.includes(` part {"number":${number},`) ? `x${line.slice(1)}` : line,
  )
  t.not(damaged.join(), lines.join(), 'there was such a record')
  await writeFile(log, damaged.join('\n'), 'latin1')
}

await t.test(
  "onSourceChange: 'fail' is asked before the object is given up",
  async (t) => {
    const dev = await smallUploads(t)
    await dev.fail(ours, unheard(dev, true))
    const changed = Buffer.from(ours).fill(7, 0, 1)
    t.match(await dev.fail(changed, { onSourceChange: 'fail' }), {
      code: 'PAWL_SOURCE_CHANGED',
      partNumber: 1,
      resumable: true,
      transient: false,
    })
    t.ok(ours.equals(await dev.object(key)))
    t.match(await dev.run(ours, { onSourceChange: 'fail' }), { partsReused: 4 })
  },
)

await t.test(
  "proof 'sha256' takes no object without its records",
  async (t) => {
    const dev = await smallUploads(t)
    const proof = 'sha256'
    await dev.fail(ours, { ...unheard(dev, true), proof })
    const lines = (await readFile(dev.log, 'latin1')).split('\n')
    const cut = lines.filter((line) => !/ part .*"number":2,/.test(line))
    t.equal(cut.length, lines.length - 1)
    await writeFile(dev.log, cut.join('\n'))
    const error = await dev.fail(ours, { proof })
    t.match(error, {
      code: 'PAWL_SOURCE_CHANGED',
      resumable: false,
      transient: true,
    })
    t.match(await dev.run(ours, { proof }), { parts: 4, partsReused: 0 })
    t.ok(ours.equals(await dev.object(key)))
  },
)

await t.test(
  'an upload that another run has completed gets no further part, though it is listed',
  async (t) => {
    const dev = await smallUploads(t)
    t.match(await dev.fail(ours, unheard(dev, false)), { resumable: true })
    const [{ uploadId } = { uploadId: '' }] = dev.server.openUploads()
    const changed = theirs.subarray(2 * part, 3 * part)
    await dev.small.uploadPart(
      {
        key,
        uploadId,
        partNumber: 3,
        size: changed.length,
        body: async function* () {
          yield changed
        },
      },
      storeCall(),
    )
    const listed = await dev.small.listParts({ key, uploadId }, storeCall())
    const { parts } = listed
    await dev.small.completeUpload(
      { key, uploadId, parts, object: {}, size: theirs.length },
      storeCall(),
    )
    const store = wrapStore(dev.small)
    // As Swift, which lists completed uploads.
    store.listParts = async (request, call) =>
      request.uploadId === uploadId
        ? listed
        : dev.small.listParts(request, call)
    const before = dev.server.requests.length
    t.match(await dev.run(ours, { store }), { resumed: false, partsReused: 0 })
    t.ok(ours.equals(await dev.object(key)), 'the object is the source')
    const sent = dev.server.requests
      .slice(before)
      .filter((request) => request.operation === 'UploadPart')
    t.equal(sent.length, 4)
    t.notOk(sent.some(({ url }) => url.includes(uploadId)))
  },
)
