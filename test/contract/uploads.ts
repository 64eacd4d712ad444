/** The resumable stream on top of a store: killed, robbed, and resumed. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import {
  createResumableUploadStream,
  UploadError,
  type ObjectStore,
  type PartEvent,
  type ResumableUploadStream,
  type UploadResult,
  type UploadStreamOptions,
} from '../../lib/index.js'
import { pipeline } from 'node:stream/promises'
import type { StoreChildJob } from '../fixtures/store-child.js'
import { compiledFixture } from '../support/compiled.js'
import { noise, sha256, temporaryDirectory } from '../support/dev-store.js'
import { storeCall } from '../support/store-call.js'
import { startChild } from '../support/upload-child.js'
import { uploadsOf } from './store-calls.js'
import { keysOf, type Target } from './target.js'

export async function uploads(t: Test, target: Target): Promise<void> {
  const { behaviours, other, partSize } = target
  const isMd5 = behaviours.etags === 'md5'
  const strongest = target.dialect === 'oss' ? 'crc64' : 'md5'

  await t.test('sources of every size near a part arrive whole', async (t) => {
    const key = keysOf(t, target)('sizes')
    for (const size of [0, 1, partSize - 1, partSize, 2 * partSize + 1]) {
      const bytes = noise(size, size + 1)
      const { result } = await uploaded(t, target, key, { bytes })
      t.equal(await other.sha256(key), sha256(bytes), `${size} bytes`)
      t.match(result, { size, etag: /^.+$/ })
      if (isMd5) t.equal(result.verified, strongest)
      if (isMd5 && result.parts > 0) t.match(result.etag, /^[0-9a-fA-F]{32}-/)
    }
  })

  await t.test('killed twice with SIGKILL, it goes on', async (t) => {
    const key = keysOf(t, target)('killed')
    const path = compiledFixture('store-child')
    const directory = await temporaryDirectory(t)
    const size = 9 * partSize + 77
    const job: StoreChildJob = {
      dialect: target.dialect,
      options: target.child.options,
      key,
      checkpoint: join(directory, 'log'),
      partSize,
      size,
      seed: 5,
    }
    const start = (holdAfter: number) =>
      startChild(path, { ...job, holdAfter }, target.child.environment)
    // The first kill comes while parts are under way.
    const first = start(5.5 * partSize)
    t.ok(await first.hears('part'))
    first.kill()
    t.match(await first.ended, { signal: 'SIGKILL' })
    const second = start(7.5 * partSize)
    const numbers = new Set<unknown>()
    await second.hearsThat(({ event, partNumber }) => {
      if (event === 'part') numbers.add(partNumber)
      return numbers.size === 7
    })
    second.kill()
    await second.ended
    t.match(second.said[0], { event: 'resumed' })
    const third = start(size)
    t.match(await third.ended, { code: 0 })
    const reused = third.said.filter((said) => said['reused'] === true)
    t.same(
      new Set(reused.map((said) => said['partNumber'])),
      new Set([1, 2, 3, 4, 5, 6, 7]),
      'what is stored is not sent again',
    )
    t.match(third.said.at(-1), {
      event: 'result',
      size,
      parts: 10,
      resumed: true,
    })
    t.equal(await other.sha256(key), sha256(noise(size, job.seed)))
    t.same(await uploadsOf(target.store(t), key), [])
    t.notOk(existsSync(job.checkpoint), 'the log is removed')
  })

  await t.test('an upload that somebody aborted meanwhile', async (t) => {
    const key = keysOf(t, target)('aborted-between')
    const checkpoint = await checkpointOf(t)
    const bytes = noise(4 * partSize)
    const begun = await suspended(t, target, key, { bytes, checkpoint }, 2)
    await other.abort(key, begun.uploadId)
    const { upload, result } = await uploaded(t, target, key, {
      bytes,
      checkpoint,
    })
    t.same(upload.restarts, ['upload-gone'])
    t.match(result, { partsReused: 0, parts: 4 })
    t.equal(await other.sha256(key), sha256(bytes))
  })

  await t.test('an upload that somebody aborts while it runs', async (t) => {
    const key = keysOf(t, target)('aborted-within')
    const checkpoint = await checkpointOf(t)
    const bytes = noise(5 * partSize)
    const error = await failed(t, target, key, {
      bytes,
      checkpoint,
      interfere: ({ uploadId }) => other.abort(key, uploadId),
    })
    const told = { resumable: false, transient: true }
    t.match(error, { code: 'PAWL_UPLOAD_GONE', ...told })
    const { result } = await uploaded(t, target, key, { bytes, checkpoint })
    t.match(result, { partsReused: 0 })
    t.equal(await other.sha256(key), sha256(bytes))
  })

  const foreign = [
    { what: 'the same size', size: partSize },
    { what: 'another size', size: partSize + 1 },
  ]
  for (const { what, size } of foreign) {
    const bytes = noise(4 * partSize + 5, 21)
    const theirs = noise(size, 22)

    await t.test(`a part of ${what}, put by somebody between`, async (t) => {
      const key = keysOf(t, target)('replaced-between')
      const checkpoint = await checkpointOf(t)
      // One at a time: part 2 is stored, and nothing of it is under way.
      const options = { bytes, checkpoint, concurrency: 1 }
      const begun = await suspended(t, target, key, options, 3)
      await other.putPart(key, begun.uploadId, 2, theirs)
      const { upload } = await uploaded(t, target, key, { bytes, checkpoint })
      t.equal(upload.parts.find((p) => p.partNumber === 2)?.reused, false)
      t.equal(upload.parts.find((p) => p.partNumber === 1)?.reused, true)
      t.equal(await other.sha256(key), sha256(bytes))
    })

    await t.test(`a part of ${what}, put by somebody within`, async (t) => {
      const key = keysOf(t, target)('replaced-within')
      const checkpoint = await checkpointOf(t)
      const error = await failed(t, target, key, {
        bytes,
        checkpoint,
        interfere: ({ uploadId }) => other.putPart(key, uploadId, 2, theirs),
      })
      const told = { resumable: true, transient: true }
      t.match(error, { code: 'PAWL_COMPLETE_REFUSED', ...told })
      const there = await target.store(t).headObject(key, storeCall())
      t.equal(there, undefined, 'nothing was mixed')
      const { upload } = await uploaded(t, target, key, { bytes, checkpoint })
      t.same(
        upload.parts.filter((p) => !p.reused).map((p) => p.partNumber),
        [2],
        'one part is sent again',
      )
      t.equal(await other.sha256(key), sha256(bytes))
    })
  }

  await t.test('a source that has become shorter', async (t) => {
    const key = keysOf(t, target)('shorter')
    const checkpoint = await checkpointOf(t)
    const bytes = noise(4 * partSize)
    await suspended(t, target, key, { bytes, checkpoint }, 4)
    const shorter = bytes.subarray(0, 2 * partSize)
    const options = { bytes: shorter, checkpoint }
    const first = await run(t, target, key, options)
    const known = behaviours.unnamedParts
    if (first.error !== undefined) {
      t.not(known, 'left-out')
      // Void: the server does not complete it without its further parts.
      const told = { resumable: false, transient: false }
      t.match(first.error, { code: 'PAWL_COMPLETE_REFUSED', ...told })
      const { result } = await uploaded(t, target, key, options)
      t.match(result, { size: shorter.length })
    } else {
      t.not(known, 'refused')
      t.match(first.result, { partsReused: 2 })
    }
    t.equal(await other.sha256(key), sha256(shorter))
    t.same(await uploadsOf(target.store(t), key), [])
  })

  await t.test('refusals leave the log as it is', async (t) => {
    const key = keysOf(t, target)('refused')
    const checkpoint = await checkpointOf(t)
    const bytes = noise(4 * partSize)
    const options = { bytes, checkpoint }
    const { uploadId } = await suspended(t, target, key, options, 2)
    const refused = await failed(t, target, key, {
      ...options,
      store: target.store(t, { secret: 'wrong-secret' }),
    })
    const told = { resumable: true, transient: false }
    t.match(refused, { code: 'PAWL_ACCESS_DENIED', ...told })
    const unknown = await failed(t, target, key, {
      ...options,
      store: target.store(t, { accessKeyId: 'NOBODYHASTHISKEY0000' }),
    })
    const { unknownKey } = behaviours
    const codes = ['PAWL_CREDENTIALS', 'PAWL_ACCESS_DENIED']
    if (unknownKey === undefined) t.ok(codes.includes(unknown.code))
    else t.equal(unknown.code, codes[unknownKey === 'credentials' ? 0 : 1])
    const missing = target.store(t, { bucket: 'pawl-no-such-bucket' })
    const nowhere = await failed(t, target, key, {
      bytes,
      checkpoint: await checkpointOf(t),
      store: missing,
    })
    t.match(nowhere, { code: 'PAWL_NO_SUCH_BUCKET' })
    const elsewhere = await failed(t, target, key, {
      ...options,
      store: missing,
    })
    t.match(elsewhere, { code: 'PAWL_CHECKPOINT_MISMATCH' })
    const { result } = await uploaded(t, target, key, options)
    t.match(result, { uploadId, resumed: true })
    t.ok(result.partsReused >= 2)
    t.equal(await other.sha256(key), sha256(bytes))
  })

  await t.test('an upload that is given up', async (t) => {
    const key = keysOf(t, target)('discarded')
    const checkpoint = await checkpointOf(t)
    const bytes = noise(3 * partSize)
    const { upload } = await suspended(t, target, key, { bytes, checkpoint }, 2)
    await upload.discard()
    t.same(await uploadsOf(target.store(t), key), [])
    t.notOk(existsSync(checkpoint))
  })
}

export interface RunOptions extends Partial<UploadStreamOptions> {
  bytes: Buffer
  /** Done by somebody else when three parts are stored, before there are more. */
  interfere?: (upload: { uploadId: string }) => Promise<void>
  store?: ObjectStore
}

export interface Run {
  upload: ResumableUploadStream
  parts: PartEvent[]
  restarts: string[]
  result: UploadResult | undefined
  error: UploadError | undefined
}

/** One run of an upload to its end, whatever that is. */
export async function run(
  t: Test,
  target: Target,
  key: string,
  { bytes, interfere, ...options }: RunOptions,
): Promise<Run> {
  const { partSize } = target
  const upload = createResumableUploadStream({
    store: options.store ?? target.store(t),
    key,
    checkpoint: false,
    partSize,
    ...options,
  })
  const parts: PartEvent[] = []
  const restarts: string[] = []
  upload.on('restarted', ({ reason }) => restarts.push(reason))
  const threeParts = new Promise<void>((resolve) => {
    upload.on('part', (part) => {
      parts.push(part)
      if (parts.length === 3) resolve()
    })
    upload.once('error', () => resolve())
  })
  async function* source() {
    for (let at = 0; at < bytes.length; at += 65_536) {
      if (interfere !== undefined && at >= 3 * partSize && parts.length <= 3) {
        await threeParts
        await interfere({ uploadId: upload.uploadId ?? '' })
        interfere = undefined
      }
      yield bytes.subarray(at, at + 65_536)
    }
  }
  const settled = upload.result.then(
    (result) => ({ result, error: undefined }),
    (error: unknown) => {
      if (!(error instanceof UploadError)) throw error
      return { result: undefined, error }
    },
  )
  await pipeline(source, upload).catch(() => undefined)
  return { upload, parts, restarts, ...(await settled) }
}

/** A run that succeeds. */
export async function uploaded(
  t: Test,
  target: Target,
  key: string,
  options: RunOptions,
): Promise<{ upload: Run; result: UploadResult }> {
  const upload = await run(t, target, key, options)
  if (upload.result === undefined) throw upload.error
  return { upload, result: upload.result }
}

/** The error of a run that fails. */
export async function failed(
  t: Test,
  target: Target,
  key: string,
  options: RunOptions,
): Promise<UploadError> {
  const { error } = await run(t, target, key, options)
  if (error === undefined) throw new Error('the upload was to fail')
  return error
}

/** A run that is suspended when so many parts are stored. */
export async function suspended(
  t: Test,
  target: Target,
  key: string,
  { bytes, ...options }: RunOptions,
  count: number,
): Promise<{ upload: ResumableUploadStream; uploadId: string }> {
  const upload = createResumableUploadStream({
    store: target.store(t),
    key,
    checkpoint: false,
    partSize: target.partSize,
    ...options,
  })
  let stored = 0
  const enough = new Promise<void>((resolve) => {
    upload.on('part', () => {
      if (++stored === count) resolve()
    })
    upload.once('error', () => resolve())
  })
  async function* source() {
    yield bytes
    await enough
    throw new Error('the source broke')
  }
  await pipeline(source, upload).catch(() => undefined)
  await upload.result.catch(() => undefined)
  if (stored < count) throw new Error(`only ${stored} parts were stored`)
  return { upload, uploadId: upload.uploadId ?? '' }
}

export async function checkpointOf(t: Test): Promise<string> {
  return join(await temporaryDirectory(t), 'log.pawl')
}
