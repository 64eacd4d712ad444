/**
 * What a caller's own code does: throws in a listener while the process goes on,
 * writes what is no bytes. The upload ends with that error, whole, and goes on
 * with the same call.
 */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import {
  memoryCheckpoint,
  uploadFile,
  type Checkpoint,
  type ResumableUploadStream,
  type UploadEvents,
} from '../../lib/index.js'
import { noise } from '../support/dev-store.js'
import { mustBe } from '../support/lost-answers.js'
import { leftovers, leftoversBeyond, settles } from '../support/leftovers.js'
import { wrapStore } from '../support/small-store.js'
import {
  chunksOf,
  key,
  part,
  smallUploads,
  until,
} from '../support/small-upload.js'

const bytes = noise(5 * part + 1)

/** What is thrown past everybody while `work` runs; the process goes on. */
async function uncaughtDuring(work: () => Promise<void>): Promise<unknown[]> {
  const uncaught: unknown[] = []
  const note = (error: unknown): void => void uncaught.push(error)
  process.on('uncaughtException', note)
  try {
    await work()
  } finally {
    process.off('uncaughtException', note)
  }
  return uncaught
}

const names: (keyof UploadEvents)[] = ['initiated', 'part', 'progress', 'retry']

for (const name of names) {
  await t.test(
    `a ${name} listener that throws ends the upload with its error`,
    async (t) => {
      const dev = await smallUploads(t)
      let failures = 0
      dev.server.setFault(({ operation }) =>
        operation === 'UploadPart' && failures++ === 0
          ? { kind: 'status', status: 500 }
          : undefined,
      )
      const thrown = new Error(`thrown in ${name}`)
      await uncaughtDuring(async () => {
        const upload = dev.upload()
        upload.once(name, () => {
          throw thrown
        })
        await t.rejects(
          pipeline(Readable.from(chunksOf(bytes)), upload),
          thrown,
          'the pipeline',
        )
        await settles(upload)
        await t.rejects(upload.result, thrown, 'the result')
      })
      await dev.run(bytes)
      await mustBe(t, dev, bytes)
      t.same(dev.server.openUploads(), [])
    },
  )

  await t.test(`so it is with a file’s ${name}`, async (t) => {
    const dev = await smallUploads(t)
    let failures = 0
    dev.server.setFault(({ operation }) =>
      operation === 'UploadPart' && failures++ === 0
        ? { kind: 'status', status: 500 }
        : undefined,
    )
    const path = join(dev.directory, 'source')
    await writeFile(path, bytes)
    const options = {
      store: dev.small,
      key,
      checkpoint: dev.log,
      partSize: part,
      retry: { attempts: 5, baseDelay: 1, maxDelay: 2 },
    }
    const thrown = new Error(`thrown in ${name}`)
    const listener = (): void => {
      throw thrown
    }
    const listeners =
      name === 'progress'
        ? { onProgress: listener }
        : { on: { [name]: listener } }
    await t.rejects(uploadFile(path, { ...options, ...listeners }), thrown)
    await uploadFile(path, options)
    await mustBe(t, dev, bytes)
  })
}

await t.test('a chunk that is no bytes ends the upload', async (t) => {
  const writes: [string, (upload: ResumableUploadStream) => unknown][] = [
    ['an object', (upload) => upload.write({ id: 1 })],
    ['a number', (upload) => upload.write(7)],
    ['null', (upload) => upload.write(null)],
    ['undefined', (upload) => upload.write(undefined)],
    ['an object at the end', (upload) => upload.end({ id: 1 })],
    [
      'an encoding that is none',
      (upload) => upload.write('x', 'none' as never),
    ],
  ]
  for (const [name, write] of writes) {
    const dev = await smallUploads(t)
    const upload = dev.upload()
    upload.on('error', () => undefined)
    const stored = once(upload, 'part')
    upload.write(bytes.subarray(0, 3 * part))
    await stored
    const uncaught = await uncaughtDuring(async () => {
      // As in a listener of the source's.
      setImmediate(() => {
        write(upload)
        upload.end(bytes.subarray(3 * part))
      })
      await settles(upload)
    })
    const error: unknown = await upload.result.catch(
      (reason: unknown) => reason,
    )
    t.type(error, Error, name)
    t.equal(uncaught[0], error, 'the error that was thrown')
    t.same(dev.seen('CompleteMultipartUpload'), [], 'nothing is made of it')
    await dev.run(bytes)
    await mustBe(t, dev, bytes)
  }
})

await t.test('nothing is told once a file has settled', async (t) => {
  const dev = await smallUploads(t)
  const path = join(dev.directory, 'source')
  await writeFile(path, bytes)
  for (const isRefused of [true, false]) {
    dev.server.setFault(({ partNumber }) =>
      isRefused && partNumber === 3
        ? { kind: 'status', status: 403, code: 'AccessDenied' }
        : undefined,
    )
    let told = 0
    const count = (): void => void told++
    const upload = uploadFile(path, {
      store: dev.small,
      key,
      checkpoint: dev.log,
      partSize: part,
      onProgress: count,
      on: { part: count, initiated: count, retry: count, restarted: count },
    })
    if (isRefused) await t.rejects(upload, { code: 'PAWL_ACCESS_DENIED' })
    else await upload
    const settled = told
    // More than the longest that progress is held back.
    const end = performance.now() + 250
    await until(() => performance.now() > end)
    t.equal(told, settled)
  }
})

await t.test('beforeComplete is asked once a run', async (t) => {
  const dev = await smallUploads(t)
  const path = join(dev.directory, 'source')
  const asked: { size: number }[] = []
  const beforeComplete = (candidate: { size: number }): void =>
    void asked.push(candidate)
  const ends: [string, Buffer, () => Promise<unknown>][] = [
    ['in parts', bytes, () => dev.run(bytes, { beforeComplete })],
    [
      'put',
      bytes.subarray(0, 9),
      () => dev.run(bytes.subarray(0, 9), { beforeComplete }),
    ],
    [
      'put instead of parts',
      bytes.subarray(0, 9),
      async () => {
        await dev.fail(bytes, {
          beforeComplete: () => Promise.reject(new Error('not yet')),
        })
        await dev.run(bytes.subarray(0, 9), { beforeComplete })
      },
    ],
    [
      'tried again',
      bytes,
      async () => {
        let completes = 0
        dev.server.setFault(({ operation }) =>
          operation === 'CompleteMultipartUpload' && completes++ < 2
            ? { kind: 'status', status: 500 }
            : undefined,
        )
        await dev.run(bytes, { beforeComplete })
        dev.server.setFault(undefined)
      },
    ],
    [
      'a file',
      bytes,
      async () => {
        await writeFile(path, bytes)
        const { small: store } = dev
        const options = { store, key, partSize: part, beforeComplete }
        await uploadFile(path, { ...options, checkpoint: dev.log })
      },
    ],
    [
      'a claim that ends in another object',
      bytes.subarray(0, 4 * part + 9),
      async () => {
        dev.server.setFault(({ operation }) =>
          operation === 'CompleteMultipartUpload'
            ? { kind: 'reply-lost' }
            : operation === 'HeadObject'
              ? { kind: 'refuse' }
              : undefined,
        )
        await dev.fail(bytes, { retry: { attempts: 1 } })
        dev.server.setFault(undefined)
        await dev.fail(bytes.subarray(0, 4 * part + 9), { beforeComplete })
      },
    ],
  ]
  for (const [name, source, end] of ends) {
    asked.length = 0
    await end()
    t.same(
      asked.map(({ size }) => size),
      [source.length],
      name,
    )
  }
})

/** What a step of a sink, or a call of a store, does against its contract. */
const breaches: Record<string, () => unknown> = {
  'throws in the same turn': () => {
    throw new TypeError('a bug')
  },
  'rejects with no error of ours': () => Promise.reject(new Error('no link')),
  'rejects with nothing': () => Promise.reject(undefined),
  'rejects with a text': () => Promise.reject('no link'),
}

for (const [what, breach] of Object.entries(breaches)) {
  await t.test(`a sink ${what}: a code, or nothing`, async (t) => {
    const dev = await smallUploads(t)
    for (const step of ['open', 'append', 'remove', 'close'] as const) {
      const checkpoint = Object.assign(memoryCheckpoint(), { [step]: breach })
      const uncaught = await uncaughtDuring(async () => {
        if (step === 'open' || step === 'append') {
          const error = await dev.fail(bytes, { checkpoint })
          t.match(error, { code: 'PAWL_CHECKPOINT_IO', resumable: false }, step)
        } else {
          const result = await dev.run(bytes, { checkpoint })
          t.equal(result.checkpointLeft, step === 'remove', step)
          await mustBe(t, dev, bytes)
        }
      })
      t.same(uncaught, [], step)
    }
    t.same(dev.server.openUploads(), [])
  })

  await t.test(`a store ${what}: a code, and a log`, async (t) => {
    const dev = await smallUploads(t)
    const calls = ['createUpload', 'uploadPart', 'completeUpload', 'putObject']
    for (const call of calls) {
      const store = { ...wrapStore(dev.small), [call]: breach }
      const source = call === 'putObject' ? bytes.subarray(0, 9) : bytes
      const error = await dev.fail(source, { store })
      const code =
        call === 'createUpload' || call === 'uploadPart'
          ? 'PAWL_RESPONSE'
          : // What became of the request is not known.
            /^PAWL_(RESPONSE|COMPLETE_UNKNOWN)$/
      t.match(error, { code, message: /no StoreError/ }, call)
      await dev.run(source)
      await mustBe(t, dev, source)
    }
    t.same(dev.server.openUploads(), [])
  })
}

await t.test('a Checkpoint that lacks what every one has', async (t) => {
  const dev = await smallUploads(t)
  const whole = memoryCheckpoint()
  for (const name of [
    'open',
    'append',
    'setAside',
    'remove',
    'close',
    'name',
  ]) {
    const checkpoint = Object.assign(Object.create(whole), {
      [name]: undefined,
    }) as Checkpoint
    t.throws(() => dev.upload({ checkpoint }), {
      code: 'PAWL_INVALID_OPTION',
      message: new RegExp(`lacks ${name}`),
    })
  }
})

const silentSteps: [string, Partial<Checkpoint>][] = [
  ['open', { open: () => new Promise(() => undefined) }],
  ['append', { append: () => new Promise(() => undefined) }],
]

for (const [step, steps] of silentSteps) {
  await t.test(`a sink whose ${step}() is never answered`, async (t) => {
    const options = () => ({
      checkpoint: Object.assign(memoryCheckpoint(), steps),
    })
    await t.test('ends the upload in time', async (t) => {
      const dev = await smallUploads(t)
      const error = await dev.fail(bytes, {
        ...options(),
        timeout: { checkpoint: 20 },
      })
      t.match(error, {
        code: 'PAWL_CHECKPOINT_IO',
        transient: true,
        message: /timeout\.checkpoint/,
      })
    })
    await t.test('is waited for no longer than a suspension', async (t) => {
      const dev = await smallUploads(t)
      const before = await leftovers()
      const upload = dev.upload(options())
      upload.on('error', () => undefined)
      upload.write(bytes)
      upload.destroy()
      await settles(upload)
      await t.rejects(upload.result, { code: 'PAWL_SUSPENDED' })
      t.equal((await leftoversBeyond(before)).timers, 0)
    })
  })
}
