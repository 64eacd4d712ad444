/**
 * Whatever ends an upload, and whatever it is waiting for, it settles within its
 * bound and leaves nothing: no socket, timer, listener, descriptor or lock.
 */
import { spawn } from 'node:child_process'
import { getEventListeners, once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import type { Test } from 'tap'
import { fileCheckpoint, UploadError } from '../../lib/index.js'
import type {
  ResumableUploadStream,
  UploadStreamOptions,
} from '../../lib/index.js'
import type { Fault, Operation } from '../../lib/dev-server/index.js'
import { bareNode } from '../support/bare-node.js'
import { compiledFixture } from '../support/compiled.js'
import { noise } from '../support/dev-store.js'
import {
  complaintsDuring,
  connectionsTo,
  leftovers,
  leftoversBeyond,
  settles,
} from '../support/leftovers.js'
import {
  part,
  send,
  smallUploads,
  until,
  type SmallUploads,
} from '../support/small-upload.js'

const silence: Fault = { kind: 'silence' }

interface State {
  name: string
  /** What stays unanswered. */
  silent?: { operation: Operation; fault: Fault }
  /** What an earlier run leaves. */
  before?: (dev: SmallUploads) => Promise<unknown>
  /** What is written; more is never to come unless `isEnded`. */
  bytes: Buffer
  isEnded: boolean
  /** Reached when this is so. */
  isThere: (dev: SmallUploads, upload: ResumableUploadStream) => boolean
  options?: Partial<UploadStreamOptions>
}

function asked(dev: SmallUploads, operation: Operation): boolean {
  return dev.seen(operation).length > 0
}

const suspended = async (dev: SmallUploads): Promise<void> => {
  const upload = dev.upload({ concurrency: 1 })
  upload.once('part', () => upload.destroy())
  await send(upload, noise(3 * part)).catch(() => undefined)
}

const states: State[] = [
  {
    name: 'just made',
    bytes: Buffer.alloc(0),
    isEnded: false,
    isThere: () => true,
  },
  {
    name: 'opening, with a server that is silent',
    silent: { operation: 'ListParts', fault: silence },
    before: suspended,
    bytes: Buffer.alloc(0),
    isEnded: false,
    isThere: (dev) => asked(dev, 'ListParts'),
  },
  {
    name: 'open, with a source that stalls',
    bytes: noise(part / 2),
    isEnded: false,
    isThere: (dev, upload) => dev.logExists() && upload.writableLength === 0,
  },
  {
    name: 'with some parts stored and a source that stalls',
    bytes: noise(2 * part + 100),
    isEnded: false,
    isThere: (dev) => dev.seen('UploadPart').length === 2,
  },
  {
    name: 'beginning, with a server that is silent',
    silent: { operation: 'CreateMultipartUpload', fault: silence },
    bytes: noise(6 * part),
    isEnded: false,
    isThere: (dev) => asked(dev, 'CreateMultipartUpload'),
  },
  {
    name: 'with parts in flight to a server that is silent',
    silent: { operation: 'UploadPart', fault: silence },
    bytes: noise(6 * part),
    isEnded: false,
    isThere: (dev) => dev.seen('UploadPart').length === 4,
  },
  {
    name: 'with large parts in flight to a server that takes nothing',
    silent: {
      operation: 'UploadPart',
      fault: { kind: 'stall', afterBytes: 1 },
    },
    bytes: noise(3 << 20),
    isEnded: false,
    options: { partSize: 3 << 19 },
    isThere: (dev) => dev.seen('UploadPart').length === 2,
  },
  {
    name: 'waiting to try again',
    silent: {
      operation: 'UploadPart',
      fault: { kind: 'status', status: 503, headers: { 'retry-after': '60' } },
    },
    bytes: noise(3 * part),
    isEnded: false,
    isThere: (dev) =>
      dev.seen('UploadPart').some(({ status }) => status === 503),
  },
  {
    name: 'in beforeComplete',
    bytes: noise(2 * part),
    isEnded: true,
    options: { beforeComplete: () => new Promise(() => undefined) },
    isThere: (dev) =>
      dev.seen('UploadPart').filter(({ status }) => status === 200).length ===
      2,
  },
  {
    name: 'completing, with a server that is silent',
    silent: { operation: 'CompleteMultipartUpload', fault: silence },
    bytes: noise(2 * part),
    isEnded: true,
    isThere: (dev) => asked(dev, 'CompleteMultipartUpload'),
  },
  {
    name: 'putting, with a server that is silent',
    silent: { operation: 'PutObject', fault: silence },
    bytes: noise(100),
    isEnded: true,
    isThere: (dev) => asked(dev, 'PutObject'),
  },
]

const ends: Record<
  string,
  (upload: ResumableUploadStream, controller: AbortController) => unknown
> = {
  destroy: (upload) => upload.destroy(),
  'destroy with an error': (upload) => upload.destroy(new Error('enough')),
  signal: (_upload, controller) => controller.abort(),
  dispose: (upload) => upload[Symbol.asyncDispose](),
  discard: (upload) => upload.discard(),
}

t.jobs = 4
const tests: Promise<unknown>[] = []
for (const state of states) {
  for (const [end, how] of Object.entries(ends)) {
    tests.push(
      t.test(`${end} ${state.name}`, { buffered: true }, async (t) => {
        await endIn(t, state, end, how)
      }),
    )
  }
}
await Promise.all(tests)
t.jobs = 1

async function endIn(
  t: Test,
  state: State,
  name: string,
  end: (upload: ResumableUploadStream, controller: AbortController) => unknown,
): Promise<void> {
  const dev = await smallUploads(t)
  await state.before?.(dev)
  const { silent } = state
  dev.server.setFault(({ operation }) =>
    operation === silent?.operation ? silent.fault : undefined,
  )
  const controller = new AbortController()
  const upload = dev.upload({ ...state.options, signal: controller.signal })
  let error: unknown
  upload.on('error', (reason) => {
    error = reason
  })
  if (state.bytes.length > 0) upload.write(state.bytes)
  if (state.isEnded) upload.end()
  await until(() => state.isThere(dev, upload))
  const ended = Promise.resolve(end(upload, controller))
  ended.catch(() => undefined)
  const ms = await settles(upload)
  t.comment(`${name} ${state.name}: ${ms.toFixed(0)} ms`)
  t.ok(upload.destroyed && upload.closed)
  t.equal(getEventListeners(controller.signal, 'abort').length, 0)
  await t.rejects(upload.result, {
    code:
      name === 'discard'
        ? 'PAWL_DISCARDED'
        : name === 'destroy with an error'
          ? undefined
          : 'PAWL_SUSPENDED',
  })
  if (name !== 'discard') t.ok(error instanceof Error, 'the stream says so too')
  if (name !== 'discard') {
    await dev.store.close()
    t.equal(connectionsTo(dev.server.port), 0, 'no connection is left')
  }
  dev.server.setFault(undefined)
  await ended.catch((reason: unknown) => {
    // The server may have been too silent for it.
    if (!(reason instanceof UploadError)) throw reason
  })
  const checkpoint = fileCheckpoint(dev.log)
  await checkpoint.open()
  await checkpoint.close()
  t.pass('the lock is free')
}

await t.test('nothing of it is left in the process', async (t) => {
  const kinds = {
    success: (dev: SmallUploads) => dev.run(noise(5 * part)),
    'a small success': (dev: SmallUploads) => dev.run(noise(5)),
    failure: (dev: SmallUploads) => {
      dev.server.setFault(({ partNumber }) =>
        partNumber === 2
          ? { kind: 'status', status: 403, code: 'AccessDenied' }
          : undefined,
      )
      return dev.fail(noise(5 * part))
    },
    'a failing source': async (dev: SmallUploads) => {
      const upload = dev.upload()
      await pipeline(function* source() {
        yield noise(2 * part)
        throw new Error('EIO')
      }, upload).catch(() => undefined)
      await upload.result.catch(() => undefined)
    },
    'a suspension': (dev: SmallUploads) => suspended(dev),
    'a discard': async (dev: SmallUploads) => {
      const upload = dev.upload()
      upload.on('error', () => undefined)
      upload.write(noise(3 * part))
      await once(upload, 'part')
      await upload.discard()
    },
  }
  for (const [name, work] of Object.entries(kinds)) {
    const dev = await smallUploads(t)
    await dev.run(noise(2 * part), { checkpoint: false })
    await dev.store.close()
    await until(() => connectionsTo(dev.server.port) === 0)
    const before = await leftovers()
    const complaints = await complaintsDuring(async () => {
      await work(dev)
      await dev.store.close()
      await until(() => connectionsTo(dev.server.port) === 0)
    })
    // The server's ends of the connections are in this process too.
    const after = await leftoversBeyond(before)
    t.same(after.descriptors, [], `${name}: descriptors`)
    t.equal(after.timers, 0, `${name}: timers`)
    t.same(complaints, [], `${name}: nothing is complained about`)
  }
})

await t.test('fifteen uploads with one signal leave no listener', async (t) => {
  const dev = await smallUploads(t)
  const { signal } = new AbortController()
  const complaints = await complaintsDuring(async () => {
    await Promise.all(
      Array.from({ length: 15 }, (_, index) =>
        dev.run(noise(3 * part), {
          signal,
          checkpoint: false,
          key: `object ${index}`,
        }),
      ),
    )
  })
  t.equal(getEventListeners(signal, 'abort').length, 0)
  t.same(complaints, [])
})

await t.test('a pipeline ends with its source, its upload too', async (t) => {
  const dev = await smallUploads(t)
  const upload = dev.upload()
  const source = new Readable({ read: () => undefined })
  source.push(noise(2 * part))
  const piped = pipeline(source, upload)
  await once(upload, 'part')
  source.destroy(new Error('the cable'))
  await t.rejects(piped, { message: 'the cable' })
  await settles(upload)
})

await t.test('a process that uploads ends by itself', async (t) => {
  const path = compiledFixture('ending-child')
  const dev = await smallUploads(t)
  for (const [name, size, fails] of [
    ['parts', 8 * part, false],
    ['one request', 10, false],
    ['a failure', 8 * part, true],
  ] as const) {
    dev.server.setFault(({ partNumber }) =>
      fails && partNumber === 3
        ? { kind: 'status', status: 403, code: 'AccessDenied' }
        : undefined,
    )
    const job = {
      endpoint: dev.server.endpoint,
      checkpoint: join(dev.directory, `${name}.pawl`),
      size,
      partSize: part,
    }
    const child = spawn(...bareNode(path, JSON.stringify(job)), {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [said, [code]] = await Promise.all([
      text(child.stdout),
      once(child, 'close'),
    ])
    t.equal(code, 0, name)
    t.equal(said, fails ? 'PAWL_ACCESS_DENIED' : 'done')
    t.equal(existsSync(join(dev.directory, `${name}.pawl`)), fails)
  }
})
