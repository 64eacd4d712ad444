/** What an upload sends, and what it makes of damaged bytes and lost answers. */
import { existsSync } from 'node:fs'
import type { Test } from 'tap'
import type { Verify } from '../../lib/index.js'
import { noise, sha256 } from '../support/dev-store.js'
import { wrapStore } from '../support/small-store.js'
import { md5, uploadsOf } from './store-calls.js'
import { keysOf, type Target } from './target.js'
import { checkpointOf, failed, run, suspended, uploaded } from './uploads.js'
import { isComplete, isPart, watchedWire, type WireRequest } from './wire.js'

export async function wireFaults(t: Test, target: Target): Promise<void> {
  const { behaviours, other, partSize } = target
  const isMd5 = behaviours.etags === 'md5'
  const isS3 = target.dialect === 's3'

  const modes: [Verify | undefined, boolean][] = [
    [undefined, isS3],
    ['md5', true],
    [false, false],
  ]
  for (const [verify, hasMd5] of modes) {
    await t.test(`Content-MD5 with verify: ${String(verify)}`, async (t) => {
      const key = keysOf(t, target)('content-md5')
      const bytes = noise(2 * partSize + 9)
      const wire = watchedWire(t)
      const { result } = await uploaded(t, target, key, {
        bytes,
        concurrency: 1,
        store: target.store(t, { dispatcher: wire.dispatcher }),
        ...(verify === undefined ? {} : { verify }),
      })
      const parts = [0, 1, 2].map((i) =>
        bytes.subarray(i * partSize, (i + 1) * partSize),
      )
      t.same(
        wire.parts().map(({ headers }) => headers['content-md5']),
        parts.map((part) =>
          hasMd5 ? Buffer.from(md5(part), 'hex').toString('base64') : undefined,
        ),
      )
      const checksums = wire.requests.flatMap(({ headers }) =>
        Object.keys(headers).filter((name) => /checksum|trailer/.test(name)),
      )
      t.same(checksums, [], 'no checksum nobody asked for')
      if (verify === false) t.equal(result.verified, 'none')
      if (verify === 'md5' && isMd5) t.equal(result.verified, 'md5')
      t.equal(await other.sha256(key), sha256(bytes))
    })
  }

  await t.test('a part that is damaged on its way', async (t) => {
    const key = keysOf(t, target)('damaged-part')
    const bytes = noise(3 * partSize)
    const wire = watchedWire(t)
    wire.spoil(once((request) => isPart(request) && 'damage'))
    const { upload } = await uploaded(t, target, key, {
      bytes,
      verify: 'md5',
      retry: { attempts: 5, baseDelay: 1 },
      store: target.store(t, { dispatcher: wire.dispatcher }),
    })
    t.equal(wire.parts().length, 4, 'refused by the server, and sent again')
    t.equal(upload.parts.length, 3)
    t.equal(await other.sha256(key), sha256(bytes))
  })

  await t.test('the answers to everything are lost, once each', async (t) => {
    const key = keysOf(t, target)('lost-answers')
    const checkpoint = await checkpointOf(t)
    const bytes = noise(3 * partSize + 1)
    const wire = watchedWire(t)
    const seen = new Set<string>()
    wire.spoil(({ method, path }) => {
      const name = `${method} ${path.replace(/uploadId=[^&]*/, '')}`
      if (method === 'HEAD' || seen.has(name)) return undefined
      seen.add(name)
      return 'lose'
    })
    const { result } = await uploaded(t, target, key, {
      bytes,
      checkpoint,
      retry: { attempts: 5, baseDelay: 1 },
      store: target.store(t, { dispatcher: wire.dispatcher }),
    })
    t.match(result, { size: bytes.length, parts: 4 })
    if (isMd5) t.equal(wire.requests.filter(isComplete).length, 1, 'it looked')
    t.equal(await other.sha256(key), sha256(bytes))
    t.notOk(existsSync(checkpoint))
  })

  await t.test('the answer to PutObject is lost', async (t) => {
    const key = keysOf(t, target)('lost-put')
    const bytes = noise(1000)
    const wire = watchedWire(t)
    wire.spoil(once(({ method }) => method === 'PUT' && 'lose'))
    const { result } = await uploaded(t, target, key, {
      bytes,
      retry: { attempts: 5, baseDelay: 1 },
      store: target.store(t, { dispatcher: wire.dispatcher }),
    })
    t.match(result, { parts: 0, size: 1000 })
    t.equal(await other.sha256(key), sha256(bytes))
  })

  await t.test('suspended while the server completes', async (t) => {
    const key = keysOf(t, target)('suspended-complete')
    const checkpoint = await checkpointOf(t)
    const bytes = noise(3 * partSize + 1)
    const wire = watchedWire(t)
    wire.spoil((request) => (isComplete(request) ? 'keep' : undefined))
    const suspending = new AbortController()
    const running = failed(t, target, key, {
      bytes,
      checkpoint,
      signal: suspending.signal,
      store: target.store(t, { dispatcher: wire.dispatcher }),
    })
    await wire.kept
    suspending.abort()
    t.match(await running, { resumable: true, transient: true })
    t.ok(existsSync(checkpoint))
    const next = watchedWire(t)
    const { result } = await uploaded(t, target, key, {
      bytes,
      checkpoint,
      store: target.store(t, { dispatcher: next.dispatcher }),
    })
    if (isMd5) {
      t.same(next.parts(), [], 'no part is sent')
      t.same(next.requests.filter(isComplete), [], 'nor Complete')
      t.match(result, { partsReused: 4, resumed: true })
    }
    t.equal(await other.sha256(key), sha256(bytes))
    t.notOk(existsSync(checkpoint))
  })

  await t.test('a finished upload, and another source', async (t) => {
    const key = keysOf(t, target)('finished-and-other')
    const checkpoint = await checkpointOf(t)
    const bytes = noise(3 * partSize + 1)
    const wire = watchedWire(t)
    wire.spoil((request) => (isComplete(request) ? 'keep' : undefined))
    const suspending = new AbortController()
    const running = failed(t, target, key, {
      bytes,
      checkpoint,
      signal: suspending.signal,
      store: target.store(t, { dispatcher: wire.dispatcher }),
    })
    await wire.kept
    suspending.abort()
    await running
    const changed = Buffer.from(bytes)
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
    const options = { bytes: changed, checkpoint }
    const second = await run(t, target, key, options)
    const told = { resumable: false, transient: true }
    t.match(second.error, { code: 'PAWL_SOURCE_CHANGED', ...told })
    t.equal(await other.sha256(key), sha256(bytes), 'the object is untouched')
    await uploaded(t, target, key, options)
    t.equal(await other.sha256(key), sha256(changed))
  })

  await t.test('resuming over several pages of parts', async (t) => {
    const key = keysOf(t, target)('pages')
    const checkpoint = await checkpointOf(t)
    const count = target.pages.parts + 3
    const bytes = noise(count * 100)
    const small = { limits: { minPartSize: 1 } }
    const options = { bytes, checkpoint, partSize: 100, concurrency: 16 }
    await suspended(
      t,
      target,
      key,
      { ...options, store: wrapStore(target.store(t), small) },
      count,
    )
    const wire = watchedWire(t)
    const store = wrapStore(
      target.store(t, { dispatcher: wire.dispatcher }),
      small,
    )
    const again = await suspended(t, target, key, { ...options, store }, count)
    t.same(wire.parts(), [], 'nothing is sent again')
    const lists = wire.requests.filter(({ path }) => /max-parts=/.test(path))
    t.ok(lists.length >= 2, `${lists.length} pages`)
    await again.upload.discard()
    t.same(await uploadsOf(target.store(t), key), [])
  })

  await t.test('an object that is there already is kept', async (t) => {
    const key = keysOf(t, target)('kept')
    const old = noise(1000)
    await other.put(key, old)
    const object = { forbidOverwrite: true }
    const checkpoint = await checkpointOf(t)
    const options = { bytes: noise(2 * partSize), checkpoint, object }
    const error = await failed(t, target, key, options)
    const told = { resumable: false, transient: false }
    t.match(error, { code: 'PAWL_ALREADY_EXISTS', ...told })
    t.notOk(existsSync(checkpoint), 'nothing was begun')
    t.equal(await other.sha256(key), sha256(old))
    await other.remove(key)
    const { bytes } = options
    const { result } = await uploaded(t, target, key, options)
    t.match(result, { size: bytes.length })
    t.equal(await other.sha256(key), sha256(bytes))
    if (behaviours.overwriteByPut === 'unsupported') return
    const put = await failed(t, target, key, { bytes: old, object })
    t.match(put, { code: 'PAWL_ALREADY_EXISTS' })
    t.equal(await other.sha256(key), sha256(bytes))
  })

  if (isS3) {
    await t.test("S3's checksums are believed only if compared", async (t) => {
      const key = keysOf(t, target)('checksums')
      const bytes = noise(2 * partSize + 5)
      const { result } = await uploaded(t, target, key, {
        bytes,
        store: target.store(t, { checksum: 'crc64nvme' }),
      })
      const { checksums } = behaviours
      if (checksums === undefined) {
        t.ok(['crc64', 'none'].includes(result.verified), result.verified)
      } else {
        const expected = checksums === 'compared' ? 'crc64' : 'none'
        t.equal(result.verified, expected)
      }
      t.equal(await other.sha256(key), sha256(bytes))
    })
  }
}

/** Says so for the first request only of which it is true. */
function once<T>(
  how: (request: WireRequest) => T | false,
): (request: WireRequest) => T | undefined {
  let isDone = false
  return (request) => {
    const what = isDone ? false : how(request)
    if (what === false) return undefined
    isDone = true
    return what
  }
}
