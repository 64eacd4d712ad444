/** Callbacks that failed: told apart from uploads that did. */
import t from 'tap'
import { noise } from '../support/dev-store.js'
import { endUnheard, mustBe } from '../support/lost-answers.js'
import { key, part, smallUploads } from '../support/small-upload.js'

const object = {
  callback: { url: 'http://127.0.0.1:9/none', body: 'size=${size}' },
}

await t.test('a callback that failed', async (t) => {
  for (const status of [203, 424]) {
    for (const size of [3 * part, 10]) {
      const dev = await smallUploads(t)
      const bytes = noise(size)
      const code = 'CallbackFailed'
      dev.server.setFault(({ operation }) =>
        operation === 'PutObject' || operation === 'CompleteMultipartUpload'
          ? { kind: 'status', status, code, apply: true }
          : undefined,
      )
      const error = await dev.fail(bytes, { object })
      t.match(error, {
        code: 'PAWL_CALLBACK_FAILED',
        status,
        resumable: false,
        transient: false,
        completed: true,
        result: { key, size, etag: /^[0-9A-F]{32}/, verified: 'crc64' },
      })
      await mustBe(t, dev, bytes)
      t.equal(
        dev.seen('PutObject').length +
          dev.seen('CompleteMultipartUpload').length,
        1,
        'never repeated',
      )
    }
  }
})

await t.test('a failed callback is no proof of an object', async (t) => {
  for (const size of [3 * part, 10]) {
    const dev = await smallUploads(t)
    const bytes = noise(size)
    dev.server.setFault(({ operation }) =>
      operation === 'PutObject' || operation === 'CompleteMultipartUpload'
        ? { kind: 'status', status: 424, code: 'CallbackFailed' }
        : undefined,
    )
    const isPut = size < part
    t.match(await dev.fail(bytes, { object }), {
      code: isPut ? 'PAWL_SERVER' : 'PAWL_COMPLETE_UNKNOWN',
      status: 424,
      message: isPut ? /424/ : /still there/,
      resumable: !isPut,
      transient: !isPut,
    })
    dev.server.setFault(undefined)
    await dev.run(bytes, { object: {} })
    await mustBe(t, dev, bytes)
  }
})

await t.test(
  'whether the callback was made is unknown, where only a look has shown the object',
  async (t) => {
    for (const size of [3 * part, 10]) {
      const bytes = noise(size)
      const dev = await smallUploads(t)
      // In this run, and by an earlier run whose answer nobody heard.
      dev.server.setFault(({ operation }) =>
        operation === 'PutObject' || operation === 'CompleteMultipartUpload'
          ? { kind: 'reply-lost' }
          : undefined,
      )
      const lost = await dev.run(bytes, { object })
      t.match(lost, { callback: 'unknown', size })
      t.notOk('callbackBody' in lost)
      const another = await smallUploads(t)
      await endUnheard(another, bytes, { object })
      const claimed = await another.run(bytes, { object })
      t.match(claimed, { callback: 'unknown', size })
      // Nobody was to be called.
      t.notOk('callback' in (await another.run(bytes)))
    }
  },
)
