/** Answers to PutObject that were lost: the key is looked at before it is sent again. */
import t from 'tap'
import type { Fault } from '../../lib/dev-server/index.js'
import { StoreError } from '../../lib/index.js'
import { besideEachOther } from '../support/beside.js'
import { noise } from '../support/dev-store.js'
import { first, lost, mustBe, timeoutsFor } from '../support/lost-answers.js'
import {
  key,
  part,
  send,
  smallUploads,
  until,
} from '../support/small-upload.js'
import { wrapStore } from '../support/small-store.js'

const test = besideEachOther(t)

test('a lost answer to PutObject is cleared up', async (t) => {
  for (const [name, fault] of lost) {
    const dev = await smallUploads(t)
    const bytes = noise(part - 1)
    first(dev, 'PutObject', fault, 5)
    await dev.run(bytes, timeoutsFor(fault))
    await mustBe(t, dev, bytes, name)
  }
})

test('a PutObject is not repeated before a look', async (t) => {
  for (const [name, fault] of lost) {
    const dev = await smallUploads(t)
    const bytes = noise(part - 1)
    first(dev, 'PutObject', fault)
    await dev.run(bytes, timeoutsFor(fault))
    await mustBe(t, dev, bytes, name)
    t.equal(dev.seen('PutObject').length, 1, name)
  }
})

test('a look that fails is repeated before PutObject is', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(part - 1)
  let looks = 0
  let puts = 0
  dev.server.setFault(({ operation }) => {
    if (operation === 'PutObject' && puts++ === 0) return { kind: 'reply-lost' }
    return operation === 'HeadObject' && looks++ < 2
      ? { kind: 'status', status: 500 }
      : undefined
  })
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.same([puts, looks], [1, 3])
})

test('who may not look repeats PutObject', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(part - 1)
  let puts = 0
  dev.server.setFault(({ operation }) => {
    if (operation === 'PutObject' && puts++ === 0) return { kind: 'reply-lost' }
    return operation === 'HeadObject'
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined
  })
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.equal(puts, 2)
})

test('who may not look does not call the own object another’s', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(part - 1)
  const object = { forbidOverwrite: true }
  const denied: Fault = { kind: 'status', status: 403, code: 'AccessDenied' }
  let puts = 0
  dev.server.setFault(({ operation }) => {
    if (operation === 'PutObject' && puts++ === 0) return { kind: 'reply-lost' }
    return operation === 'HeadObject' ? denied : undefined
  })
  for (const transient of [true, false]) {
    t.match(await dev.fail(bytes, { object }), {
      code: 'PAWL_COMPLETE_UNKNOWN',
      status: 409,
      resumable: false,
      transient,
    })
    t.ok(dev.logExists())
  }
  dev.server.setFault(undefined)
  t.match(await dev.run(bytes, { object }), { uploadId: undefined })
  await mustBe(t, dev, bytes)
})

test('a PutObject whose answer is not believed is there all the same', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(part - 1)
  let puts = 0
  const store = wrapStore(dev.small, {
    around: async (call, run) => {
      if (call !== 'putObject') return run()
      if (puts++ > 0) throw new StoreError('no', { kind: 'request' })
      return { ...(await run()), crc64: '1' }
    },
  })
  await dev.run(bytes, { store, object: { forbidOverwrite: true } })
  await mustBe(t, dev, bytes)
  t.equal(puts, 2)
})

test('a PutObject that never happens is an error', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(100)
  first(dev, 'PutObject', { kind: 'status', status: 500 }, 99)
  t.match(await dev.fail(bytes), {
    code: 'PAWL_SERVER',
    status: 500,
    attempts: 5,
  })
  t.equal(dev.server.objectPath('examplebucket', key), undefined)
  dev.server.setFault(undefined)
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
})

const completed: Fault = { kind: 'silence', apply: true }

test('a run that ended around PutObject', async (t) => {
  for (const forbidOverwrite of [false, true]) {
    const dev = await smallUploads(t)
    const bytes = noise(50)
    first(dev, 'PutObject', completed, 99)
    const object = { forbidOverwrite }
    const upload = dev.upload({ object })
    const sending = send(upload, bytes).catch(() => undefined)
    await until(() => dev.seen('PutObject')[0]?.applied === true)
    upload.destroy()
    await sending
    dev.server.setFault(undefined)
    await t.rejects(upload.discard(), {
      code: 'PAWL_INVALID_STATE',
      completed: true,
    })
    await dev.run(bytes, { object })
    await mustBe(t, dev, bytes, `forbidOverwrite: ${forbidOverwrite}`)
  }
})

test('a success without an ETag is believed after a look', async (t) => {
  for (const apply of [true, false]) {
    const dev = await smallUploads(t)
    const bytes = noise(part - 1)
    first(dev, 'PutObject', {
      kind: 'status',
      status: 200,
      body: '<html>Welcome</html>',
      apply,
    })
    if (apply) {
      t.match(await dev.run(bytes), {
        etag: /^[0-9A-F]{32}$/,
        verified: 'crc64',
      })
    } else {
      t.match(await dev.fail(bytes), {
        code: 'PAWL_RESPONSE',
        resumable: false,
        transient: true,
      })
      t.ok(dev.logExists())
      await dev.run(bytes)
    }
    await mustBe(t, dev, bytes)
  }
})

test('what the object takes the place of is aborted by a later run at the latest', async (t) => {
  const dev = await smallUploads(t)
  await dev.fail(noise(3 * part), {
    beforeComplete: () => {
      throw new Error('not yet')
    },
  })
  t.equal(dev.server.openUploads().length, 1)
  const bytes = noise(part - 1)
  const [open] = dev.server.openUploads()
  first(dev, 'AbortMultipartUpload', { kind: 'status', status: 500 }, 3)
  t.match(await dev.run(bytes), {
    checkpointLeft: true,
    uploadsLeft: [open?.uploadId],
  })
  t.ok(bytes.equals(await dev.object(key)))
  t.ok(dev.logExists(), 'the next run has to know of it')
  t.equal(dev.seen('AbortMultipartUpload').length, 2, 'twice in one run')
  const next = noise(part - 2, 2)
  const result = await dev.run(next)
  t.match(result, { checkpointLeft: false, resumed: false })
  t.notOk('uploadsLeft' in result)
  t.equal(dev.seen('AbortMultipartUpload').length, 4)
  t.same(dev.server.openUploads(), [])
  await mustBe(t, dev, next)
})

test('a PutObject refused for certain is no success', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(part - 1)
  await dev.run(bytes)
  const before = dev.server.requests.length
  const refusal: Fault = {
    kind: 'status',
    status: 400,
    code: 'InvalidStorageClass',
  }
  // Once more without the mark, the only metadata: that may be what was refused.
  first(dev, 'PutObject', refusal, 2)
  t.match(await dev.fail(bytes), { code: 'PAWL_SERVER', status: 400 })
  const asked = dev.server.requests.slice(before)
  t.same(
    asked.map(({ operation }) => operation),
    ['PutObject', 'HeadObject', 'PutObject'],
    'whatever lies under the key: that is what it was before',
  )
  // Without a mark there is none to leave out; nothing is looked for afterwards.
  const since = dev.server.requests.length
  first(dev, 'PutObject', refusal)
  t.match(await dev.fail(bytes, { mark: false }), {
    code: 'PAWL_SERVER',
    status: 400,
  })
  t.same(
    dev.server.requests.slice(since).map(({ operation }) => operation),
    ['HeadObject', 'PutObject'],
  )
})

/** Answers that would be believed, had no earlier one been lost. */
const refusals: [string, Fault][] = [
  ['403', { kind: 'status', status: 403, code: 'AccessDenied' }],
  ['400', { kind: 'status', status: 400, code: 'InvalidArgument' }],
  ['409', { kind: 'status', status: 409, code: 'FileAlreadyExists' }],
  ['412', { kind: 'status', status: 412, code: 'PreconditionFailed' }],
]

test('after an answer that was lost no refusal of PutObject is believed without a look', async (t) => {
  const bytes = noise(part - 1)
  for (const [name, refusal] of refusals) {
    for (const forbidOverwrite of [false, true]) {
      for (const isDone of [true, false]) {
        const dev = await smallUploads(t)
        let puts = 0
        let looks = 0
        dev.server.setFault(({ operation }) => {
          if (operation === 'PutObject') {
            if (puts++ > 0) return refusal
            return { kind: 'status', status: 504, apply: isDone }
          }
          // The object is not to be seen yet.
          return operation === 'HeadObject' && puts === 1 && looks++ === 0
            ? { kind: 'status', status: 404 }
            : undefined
        })
        const object = { forbidOverwrite }
        const what = `504, then ${name}, done: ${isDone}`
        if (isDone) {
          t.match(await dev.run(bytes, { object }), { verified: 'crc64' }, what)
          await mustBe(t, dev, bytes)
        } else {
          const { status } = await dev.fail(bytes, { object })
          t.equal(`${status}`, name, what)
          t.equal(dev.server.objectPath('examplebucket', key), undefined)
        }
        t.equal(puts, 2)
        t.ok(looks > 0)
      }
    }
  }
})

test("where overwriting is forbidden another's object is told from one's own after a lost answer", async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(part - 1)
  const theirs = noise(part - 1, 9)
  let isFirst = true
  const store = wrapStore(dev.small, {
    around: async (call, run) => {
      if (call !== 'putObject' || !isFirst) return run()
      isFirst = false
      await dev.run(theirs, { checkpoint: false })
      throw new StoreError('lost', { kind: 'network' })
    },
  })
  t.match(await dev.fail(bytes, { store, object: { forbidOverwrite: true } }), {
    code: 'PAWL_ALREADY_EXISTS',
    resumable: false,
    transient: false,
  })
  t.ok(theirs.equals(await dev.object(key)))
})

test('a PutObject whose connection was refused was not sent, and nothing says so', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(part - 1)
  const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  const store = wrapStore(dev.small, {
    around: async (call, run) => {
      if (call !== 'putObject') return run()
      throw new StoreError('nobody listens', { kind: 'network', cause })
    },
  })
  const error = await dev.fail(bytes, { store })
  t.match(error, { code: 'PAWL_NETWORK', message: /^PutObject failed/ })
  t.same(dev.server.requests, [], 'nothing is looked for')
  t.notOk(dev.logExists(), 'there is nothing to find out')
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.same(dev.seen('HeadObject'), [])
})
