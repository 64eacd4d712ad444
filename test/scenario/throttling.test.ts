/** Servers that ask for less, credentials that expire, clocks that are wrong. */
import t from 'tap'
import type { RetryEvent } from '../../lib/index.js'
import { noise } from '../support/dev-store.js'
import { suspendAfter } from '../support/lost-answers.js'
import { smallStore } from '../support/small-store.js'
import { key, part, send, smallUploads } from '../support/small-upload.js'

for (const [name, status] of [
  ['429', 429],
  ['503', 503],
] as const) {
  await t.test(`after ${name} fewer parts go at once`, async (t) => {
    const dev = await smallUploads(t)
    const bytes = noise(60 * part)
    let going = 0
    let isThrottled = false
    const most = { before: 0, after: 0 }
    const store = smallStore(dev.store)
    const counted = {
      ...store,
      async uploadPart(...given: Parameters<typeof store.uploadPart>) {
        going++
        const when = isThrottled ? 'after' : 'before'
        most[when] = Math.max(most[when], going)
        try {
          return await store.uploadPart(...given)
        } finally {
          going--
        }
      },
    }
    // All eight in flight at one moment are refused.
    let refused = 0
    dev.server.setFault(({ operation, partNumber = 0 }) => {
      if (operation !== 'UploadPart' || partNumber < 17) return undefined
      if (refused >= 8) return undefined
      refused++
      return { kind: 'status', status, headers: { 'retry-after': '0' } }
    })
    const upload = dev.upload({
      store: counted,
      concurrency: 8,
      // One part may be refused all of eight times.
      retry: { baseDelay: 1, maxDelay: 2 },
    })
    upload.on('retry', () => {
      isThrottled = true
    })
    const limits: number[] = []
    upload.on('part', ({ partNumber }: { partNumber: number }) => {
      if (partNumber > 26) limits.push(going)
    })
    await send(upload, bytes)
    t.ok(bytes.equals(await dev.object(key)))
    t.equal(most.before, 8)
    t.ok(limits.length > 10)
    t.ok(Math.min(...limits) < 4, `as few as ${Math.min(...limits)} at once`)
    t.equal(dev.seen('UploadPart').length, 68)
  })
}

await t.test('Retry-After is waited for', async (t) => {
  const dev = await smallUploads(t)
  let refused = 0
  dev.server.setFault(({ operation }) =>
    operation === 'UploadPart' && refused++ === 0
      ? { kind: 'status', status: 503, headers: { 'retry-after': '1' } }
      : undefined,
  )
  const upload = dev.upload({ concurrency: 1 })
  const retries: RetryEvent[] = []
  upload.on('retry', (event: RetryEvent) => retries.push(event))
  await send(upload, noise(2 * part))
  t.match(retries, [{ partNumber: 1, attempt: 1, delay: 1000 }])
  t.equal(retries.length, 1)
})

await t.test('one part’s failures are not another’s', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(8 * part)
  const seen = new Map<number, number>()
  // Every part fails four times of the five that it has.
  dev.server.setFault(({ operation, partNumber = 0 }) => {
    if (operation !== 'UploadPart') return undefined
    const times = (seen.get(partNumber) ?? 0) + 1
    seen.set(partNumber, times)
    return times <= 4 ? { kind: 'status', status: 500 } : undefined
  })
  await dev.run(bytes)
  t.ok(bytes.equals(await dev.object(key)))
  t.equal(dev.seen('UploadPart').length, 40)
})

await t.test(
  'a server that fails for good is not asked for ever',
  async (t) => {
    const dev = await smallUploads(t)
    dev.server.setFault(({ operation }) =>
      operation === 'UploadPart' ? { kind: 'status', status: 500 } : undefined,
    )
    t.match(await dev.fail(noise(64 * part), { concurrency: 16 }), {
      code: 'PAWL_SERVER',
      attempts: 5,
      partNumber: Number,
    })
    // 16 parts at once, five attempts each, and no further part.
    t.ok(dev.seen('UploadPart').length <= 16 * 5)
  },
)

await t.test('a token that expires is asked for once', async (t) => {
  const token = (number: number) => ({
    accessKeyId: `id${number}`,
    accessKeySecret: `secret${number}`,
    securityToken: `token${number}`,
  })
  const dev = await smallUploads(t, { credentials: token(1) })
  let asked = 0
  const store = smallStore(
    dev.another({
      credentials: async () => {
        asked++
        return token(asked)
      },
    }),
  )
  const bytes = noise(40 * part)
  const upload = dev.upload({ store, concurrency: 10 })
  let stored = 0
  upload.on('part', () => {
    // While the next ten are on their way.
    if (++stored === 12) dev.server.setCredentials(token(2))
  })
  await send(upload, bytes)
  t.ok(bytes.equals(await dev.object(key)))
  t.equal(asked, 2, 'at the beginning, and once for all that failed')
  const refused = dev.seen('UploadPart').filter(({ status }) => status === 403)
  t.ok(refused.length > 0, `${refused.length} parts were refused`)
})

await t.test('a token that nobody can renew ends the upload', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(8 * part)
  const refused = { accessKeyId: 'other', accessKeySecret: 'x' }
  const known = { accessKeyId: 'dev', accessKeySecret: 'dev-secret' }
  for (const isBegun of [false, true]) {
    if (isBegun) await suspendAfter(dev, bytes, 2)
    dev.server.setCredentials(refused)
    t.match(await dev.fail(bytes), {
      code: 'PAWL_CREDENTIALS',
      serverCode: 'InvalidAccessKeyId',
      resumable: isBegun,
      transient: false,
    })
    dev.server.setCredentials(known)
  }
  t.match(await dev.run(bytes), { resumed: true })
  t.ok(bytes.equals(await dev.object(key)))
})

await t.test('a clock that is wrong is put right', async (t) => {
  for (const clockOffset of [-3_600_000, 3_600_000]) {
    const dev = await smallUploads(t, { clockOffset })
    const bytes = noise(12 * part)
    await dev.run(bytes)
    t.ok(bytes.equals(await dev.object(key)))
    const refused = dev.server.requests.filter(({ status }) => status === 403)
    t.equal(refused.length, 1, 'only the first request was refused')
  }
})
