/**
 * Uploads that are no longer used: dead before another takes their place, named
 * in the log until they are aborted, and none left by who keeps no log.
 */
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Fault } from '../../lib/dev-server/index.js'
import {
  readCheckpoint,
  StoreError,
  uploadFile,
  type CompleteUploadRequest,
  type UploadEvents,
} from '../../lib/index.js'
import { all, besideEachOther } from '../support/beside.js'
import { noise } from '../support/dev-store.js'
import {
  changed,
  first,
  mustBe,
  suspendAfter,
} from '../support/lost-answers.js'
import { wrapStore } from '../support/small-store.js'
import {
  failureOf,
  key,
  part,
  send,
  smallUploads,
  until,
  type SmallUploads,
} from '../support/small-upload.js'
import { storeCall } from '../support/store-call.js'

const test = besideEachOther(t)

const denied: Fault = { kind: 'status', status: 403, code: 'AccessDenied' }
const bytes = noise(5 * part + 7)
const other = { contentType: 'text/plain' }

/** An upload that this call's options do not fit; its ID. */
async function abandoned(dev: SmallUploads): Promise<string> {
  const { uploadId = '' } = await suspendAfter(dev, bytes, 2)
  return uploadId
}

test('an upload that cannot be aborted stays in the log until it is', async (t) => {
  const dev = await smallUploads(t)
  const uploadId = await abandoned(dev)
  first(dev, 'AbortMultipartUpload', denied, 99)
  t.match(await dev.run(bytes, { object: other }), {
    checkpointLeft: true,
    uploadsLeft: [uploadId],
    resumed: false,
  })
  t.ok(bytes.equals(await dev.object(key)), 'the object is made all the same')
  t.match(await readFile(dev.log, 'latin1'), / done .*\n.* told /)
  dev.server.setFault(undefined)
  for (const source of [changed(bytes, 5 * part), bytes]) {
    // As after a log that was removed: nothing is claimed.
    const result = await dev.run(source, { object: other })
    t.match(result, { checkpointLeft: false, resumed: false, partsReused: 0 })
    t.notOk('uploadsLeft' in result)
    await mustBe(t, dev, source)
    t.same(dev.server.openUploads(), [])
  }
})

test('what ends a run says nothing of the Abort that it was sending', async (t) => {
  const dev = await smallUploads(t)
  const store = wrapStore(dev.small)
  let isAborting = (): void => undefined
  const aborting = new Promise<void>((resolve) => (isAborting = resolve))
  // Part 2 finds the upload gone; part 1 is refused while that is aborted.
  store.uploadPart = async ({ partNumber }) => {
    if (partNumber !== 1) {
      throw new StoreError('No such upload.', { kind: 'no-upload' })
    }
    await aborting
    throw new StoreError('Denied.', {
      kind: 'denied',
      status: 403,
      serverCode: 'AccessDenied',
    })
  }
  store.abortUpload = async (_request, { signal }) => {
    isAborting()
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    throw signal.reason
  }
  t.match(await dev.fail(bytes, { store }), { code: 'PAWL_ACCESS_DENIED' })
  t.equal(dev.server.openUploads().length, 1)
  await dev.run(bytes)
  t.same(dev.server.openUploads(), [], 'the log had not let go of it')
  await mustBe(t, dev, bytes)
})

test('what was handed out is not claimed, whatever the next source is', async (t) => {
  const sources: [string, Buffer][] = [
    ['the same', bytes],
    ['its last part changed', changed(bytes, 5 * part)],
    ['its first part changed', changed(bytes, 0)],
    ['shorter', bytes.subarray(0, 3 * part)],
    ['less than a part', bytes.subarray(0, 10)],
  ]
  for (const [name, source] of sources) {
    const dev = await smallUploads(t)
    const uploadId = await abandoned(dev)
    first(dev, 'AbortMultipartUpload', denied, 99)
    await dev.run(bytes, { object: other })
    const result = await dev.run(source, { object: other })
    t.match(
      result,
      { resumed: false, partsReused: 0, uploadsLeft: [uploadId] },
      name,
    )
    t.ok(source.equals(await dev.object(key)))
  }
})

test('a suspension while it cleans up leaves the rest to a later run', async (t) => {
  const dev = await smallUploads(t)
  const uploadId = await abandoned(dev)
  const small = noise(10)
  const stop = new AbortController()
  dev.server.setFault(({ operation }) => {
    if (operation !== 'AbortMultipartUpload') return undefined
    setImmediate(() => stop.abort())
    return { kind: 'silence' }
  })
  const upload = dev.upload({ signal: stop.signal })
  await send(upload, small).catch(() => undefined)
  t.match(await upload.result, {
    checkpointLeft: true,
    uploadsLeft: [uploadId],
  })
  t.ok(small.equals(await dev.object(key)))
  dev.server.setFault(undefined)
  const next = noise(11)
  t.match(await dev.run(next), { checkpointLeft: false })
  await mustBe(t, dev, next)
  t.same(dev.server.openUploads(), [])
})

test('an Abort that is refused is not asked for again in the same run', async (t) => {
  const dev = await smallUploads(t)
  await abandoned(dev)
  first(dev, 'AbortMultipartUpload', denied, 99)
  for (const runs of [1, 2]) {
    await dev.run(bytes, { object: other })
    t.equal(dev.seen('AbortMultipartUpload').length, runs)
  }
})

test('what may not be aborted is gone only when it is not listed', async (t) => {
  for (const isLie of [true, false]) {
    const dev = await smallUploads(t)
    const store = wrapStore(dev.small)
    store.uploadPart = async (request, call) => {
      if (request.partNumber === 4) {
        if (!isLie) await dev.small.abortUpload(request, storeCall())
        throw new StoreError('gone', { kind: 'no-upload', status: 404 })
      }
      return dev.small.uploadPart(request, call)
    }
    store.abortUpload = async () => {
      throw new StoreError('denied', { kind: 'denied', status: 403 })
    }
    const upload = dev.upload({ store, concurrency: 1 })
    await send(upload, bytes).catch(() => undefined)
    t.match(await failureOf(upload), { code: 'PAWL_UPLOAD_GONE' })
    const { unclosed } = await readCheckpoint(dev.log)
    const left = dev.server.openUploads().map(({ uploadId }) => uploadId)
    t.same(unclosed, left)
    t.equal(left.length, isLie ? 1 : 0)
  }
})

test('what stops a run is not taken for what an Abort was answered', async (t) => {
  const dev = await smallUploads(t)
  const store = wrapStore(dev.small)
  let refuse = (): void => undefined
  const aborting = new Promise<void>((resolve) => {
    refuse = resolve
  })
  store.uploadPart = async ({ partNumber }) => {
    if (partNumber === 1) {
      throw new StoreError('gone', { kind: 'no-upload', status: 404 })
    }
    await aborting
    throw new StoreError('403', {
      kind: 'denied',
      status: 403,
      serverCode: 'AccessDenied',
    })
  }
  store.abortUpload = (_request, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
      refuse()
    })
  const error = await dev.fail(bytes, { store })
  t.match(error, { code: 'PAWL_ACCESS_DENIED' })
  const { unclosed } = await readCheckpoint(dev.log)
  t.same(
    unclosed,
    dev.server.openUploads().map(({ uploadId }) => uploadId),
  )
  t.equal(unclosed.length, 1)
})

test('an Abort that is refused in four runs in a row is let go, and told', async (t) => {
  const dev = await smallUploads(t)
  const uploadId = await abandoned(dev)
  first(dev, 'AbortMultipartUpload', denied, 99)
  const left: UploadEvents['left'][] = []
  for (let runs = 1; runs <= 4; runs++) {
    t.equal(left.length, 0)
    const upload = dev.upload({ object: other })
    upload.on('left', (event) => left.push(event))
    await send(upload, bytes)
    t.match(await upload.result, { checkpointLeft: runs < 4 }, `run ${runs}`)
  }
  t.match(left, [{ uploadId, error: { code: 'PAWL_ACCESS_DENIED' } }])
  t.notOk(dev.logExists())
})

/** A run whose Complete hangs, and what is then sent in its name. */
async function killedInComplete(dev: SmallUploads) {
  const store = wrapStore(dev.small)
  let kept: CompleteUploadRequest | undefined
  store.completeUpload = (request, { signal }) => {
    kept = request
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  }
  const upload = dev.upload({ store })
  const sending = send(upload, bytes).catch(() => undefined)
  await until(() => kept !== undefined)
  upload.destroy()
  await sending
  return {
    uploadId: upload.uploadId ?? '',
    /** It arrives after all. */
    completeLate: async (): Promise<unknown> => {
      if (kept === undefined) throw new Error('there was a Complete')
      return dev.small.completeUpload(kept, storeCall())
    },
  }
}

test('an upload whose Complete may be under way is dead before another begins', async (t) => {
  const dev = await smallUploads(t)
  const { uploadId, completeLate } = await killedInComplete(dev)
  const before = dev.server.requests.length
  let late: unknown
  const upload = dev.upload({
    object: other,
    beforeComplete: async () => {
      late = await completeLate().catch((error: unknown) => error)
    },
  })
  await send(upload, bytes)
  t.match(late, { kind: 'no-upload' }, 'it comes too late')
  const asked = dev.server.requests.slice(before)
  const operations = asked.map(({ operation }) => operation)
  const abort = operations.indexOf('AbortMultipartUpload')
  const begun = operations.indexOf('CreateMultipartUpload')
  t.ok(abort >= 0 && abort < begun, operations.join(' '))
  t.not((await upload.result).uploadId, uploadId)
  await mustBe(t, dev, bytes)
  t.equal(
    (await dev.small.headObject(key, storeCall()))?.mark,
    dev.seen('CreateMultipartUpload').at(-1)?.headers['x-oss-meta-pawl'],
  )
})

test('where it cannot be aborted nothing is sent', async (t) => {
  const cases: [string, Fault, boolean][] = [
    ['refused', denied, false],
    ['500', { kind: 'status', status: 500 }, true],
    ['a reset', { kind: 'refuse' }, true],
  ]
  await all(cases, async ([name, fault, transient]) => {
    await all([bytes, bytes.subarray(0, 10)], async (source) => {
      const dev = await smallUploads(t)
      const { uploadId, completeLate } = await killedInComplete(dev)
      first(dev, 'AbortMultipartUpload', fault, 99)
      const before = dev.server.requests.length
      const error = await dev.fail(source, { object: other })
      t.match(error, { code: 'PAWL_UPLOAD_CONTENDED', transient }, name)
      t.match(error.message, uploadId)
      if (!transient) t.match(error.message, /AbortMultipartUpload/)
      const sent = dev.server.requests
        .slice(before)
        .filter(({ operation }) =>
          /^(Create|UploadPart|Put|Complete)/.test(operation),
        )
      t.same(sent, [], 'nothing was sent')
      // Its object is seen by its mark: it is dead as well.
      await completeLate()
      await dev.run(source, { object: other })
      t.ok(source.equals(await dev.object(key)))
    })
  })
})

test('without a log nothing is left of an upload that ends early', async (t) => {
  const checkpoint = false
  const ends: [string, (dev: SmallUploads) => Promise<unknown>][] = [
    [
      'a part that is refused',
      (dev) => {
        dev.server.setFault(({ partNumber }) =>
          partNumber === 4 ? denied : undefined,
        )
        return dev.fail(bytes, { checkpoint, concurrency: 1 })
      },
    ],
    ['a suspension', (dev) => suspendAfter(dev, bytes, 2, { checkpoint })],
    [
      'a veto',
      (dev) =>
        dev.fail(bytes, {
          checkpoint,
          beforeComplete: () => Promise.reject(new Error('not whole')),
        }),
    ],
    ['a wrong size', (dev) => dev.fail(bytes, { checkpoint, size: 9 * part })],
    [
      'a Complete that is refused',
      (dev) => {
        first(dev, 'CompleteMultipartUpload', denied, 9)
        return dev.fail(bytes, { checkpoint })
      },
    ],
    [
      'a signal to a file',
      async (dev) => {
        const path = join(dev.directory, 'source')
        await writeFile(path, bytes)
        const stop = new AbortController()
        await t.rejects(
          uploadFile(path, {
            store: dev.small,
            key,
            checkpoint,
            partSize: part,
            multipartThreshold: 0,
            signal: stop.signal,
            on: { part: () => stop.abort() },
          }),
          { code: 'PAWL_SUSPENDED', resumable: false },
        )
      },
    ],
  ]
  for (const [name, end] of ends) {
    const dev = await smallUploads(t)
    await end(dev)
    t.equal(dev.seen('CreateMultipartUpload').length, 1, name)
    t.same(dev.server.openUploads(), [], name)
  }
})

test('without a log an upload is left only where its Complete may have taken effect', async (t) => {
  const dev = await smallUploads(t)
  first(dev, 'CompleteMultipartUpload', { kind: 'status', status: 500 }, 99)
  const upload = dev.upload({ checkpoint: false })
  await send(upload, bytes).catch(() => undefined)
  const [open] = dev.server.openUploads()
  t.match(await failureOf(upload), {
    code: 'PAWL_COMPLETE_UNKNOWN',
    uploadId: open?.uploadId,
    resumable: false,
  })
  t.same(dev.seen('AbortMultipartUpload'), [])
})

test('without a log an upload that could not be aborted is tried again at the end', async (t) => {
  const dev = await smallUploads(t)
  let [parts, aborts] = [0, 0]
  const store = wrapStore(dev.small, {
    around: async (call, run) => {
      if (call === 'uploadPart' && parts++ === 0) {
        throw new StoreError('No such upload.', { kind: 'no-upload' })
      }
      // As often as is tried where nothing depends on it.
      if (call === 'abortUpload' && aborts++ < 2) {
        throw new StoreError('Busy.', { kind: 'server', status: 500 })
      }
      return run()
    },
  })
  const options = { store, checkpoint: false, concurrency: 1 } as const
  const result = await dev.run(bytes, options)
  t.notOk('uploadsLeft' in result)
  t.match(result, { checkpointLeft: false })
  t.same(dev.server.openUploads(), [])
  await mustBe(t, dev, bytes)
})

test('without a log a file that is begun anew knows the upload before, whose Complete may be under way', async (t) => {
  for (const mayAbort of [true, false]) {
    const dev = await smallUploads(t)
    const path = join(dev.directory, 'file')
    await writeFile(path, bytes)
    let [completes, aborts] = [0, 0]
    const store = wrapStore(dev.small, {
      around: async (call, run) => {
        if (call === 'completeUpload' && completes++ === 0) {
          throw new StoreError('No such upload.', { kind: 'no-upload' })
        }
        // The first run gives it up and ends it, with two attempts each.
        const isRefused = !mayAbort || aborts < 4
        if (call === 'abortUpload' && isRefused) {
          aborts++
          throw new StoreError('Busy.', { kind: 'server', status: 500 })
        }
        return run()
      },
    })
    const ending = uploadFile(path, {
      store,
      key,
      checkpoint: false,
      partSize: part,
      multipartThreshold: part,
      retry: { attempts: 5, baseDelay: 1, maxDelay: 2 },
    })
    if (mayAbort) {
      await ending
      await mustBe(t, dev, bytes)
      t.same(dev.server.openUploads(), [])
    } else {
      await t.rejects(ending, { code: 'PAWL_UPLOAD_CONTENDED' })
      t.equal(dev.partsSince(0).length, 6, 'nothing is sent beside it')
    }
  }
})

test('without a log an Abort that fails is not waited for long', async (t) => {
  const dev = await smallUploads(t)
  first(dev, 'AbortMultipartUpload', { kind: 'status', status: 500 }, 99)
  const upload = await suspendAfter(dev, bytes, 2, { checkpoint: false })
  t.match(await failureOf(upload), { code: 'PAWL_SUSPENDED' })
  t.equal(dev.seen('AbortMultipartUpload').length, 2)
})

test('an upload that lost against another request stays in the log while it may not be aborted', async (t) => {
  const dev = await smallUploads(t)
  dev.server.setFault(({ operation }) => {
    if (operation === 'AbortMultipartUpload') {
      return { kind: 'status', status: 403, code: 'AccessDenied' }
    }
    return operation === 'CompleteMultipartUpload'
      ? {
          kind: 'status',
          status: 409,
          code: 'ConditionalRequestConflict',
        }
      : undefined
  })
  t.match(await dev.fail(noise(2 * part)), {
    code: 'PAWL_UPLOAD_GONE',
    resumable: false,
  })
  const { unclosed } = await readCheckpoint(dev.log)
  t.same(
    unclosed,
    dev.server.openUploads().map(({ uploadId }) => uploadId),
  )
  t.equal(unclosed.length, 1)
})

test('a long log whose result was handed out begins anew, with what is still to be closed', async (t) => {
  const dev = await smallUploads(t)
  const uploadId = await abandoned(dev)
  first(dev, 'AbortMultipartUpload', denied, 99)
  const left = { checkpointLeft: true, uploadsLeft: [uploadId] }
  t.match(await dev.run(bytes, { object: other }), left)
  // Blank lines are as good as the parts of many nights.
  await appendFile(dev.log, '\n'.repeat(8 * 2 ** 20))
  const idOf = async (): Promise<string> =>
    /"logId":"(\w+)"/.exec(await readFile(dev.log, 'latin1'))?.[1] ?? ''
  const logId = await idOf()
  t.match(await dev.run(changed(bytes, 1), { object: other }), left)
  const { size } = await stat(dev.log)
  t.ok(size < 10_000, `${size} bytes`)
  t.not(await idOf(), logId, 'no line of the old log verifies in it')
  dev.server.setFault(undefined)
  await dev.run(bytes, { object: other })
  await mustBe(t, dev, bytes)
  t.same(dev.server.openUploads(), [])
})

test('a long log is kept while its result may not have been handed out', async (t) => {
  const dev = await smallUploads(t)
  const { uploadId } = await suspendAfter(dev, bytes, 2)
  await appendFile(dev.log, '\n'.repeat(8 * 2 ** 20))
  t.match(await dev.run(bytes), { uploadId, resumed: true, partsReused: 2 })
  await mustBe(t, dev, bytes)
})

test('an upload that a long log still names is discarded with it', async (t) => {
  const dev = await smallUploads(t)
  await abandoned(dev)
  first(dev, 'AbortMultipartUpload', denied, 99)
  await dev.run(bytes, { object: other })
  await appendFile(dev.log, '\n'.repeat(8 * 2 ** 20))
  dev.server.setFault(undefined)
  const upload = dev.upload({ object: other })
  await upload.discard()
  t.same(dev.server.openUploads(), [])
  t.notOk(dev.logExists())
})
