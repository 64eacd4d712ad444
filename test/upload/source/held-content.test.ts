/**
 * Parts of a file that are held since a digest goes before their bytes: how long, and
 * what becomes of them when they are sent again.
 */
import t from 'tap'
import { processDigests } from '../../../lib/hash/digest.js'
import {
  type ContentDigest,
  HeldContent,
  type KnownDigests,
  MemoryContent,
} from '../../../lib/upload/source/part-content.js'
import { ViewPace } from '../../../lib/upload/source/view-pace.js'
import { noise } from '../../support/dev-store.js'
import { fileBench, key, modes } from '../../support/file-bench.js'
import { WatchedFiles } from '../../support/watched-files.js'

const bytes = noise(3 * 512 * 1024)
const pace = new ViewPace(() => 0)

function held(asked: readonly ContentDigest[] = []) {
  const seen = {
    freed: 0,
    known: undefined as KnownDigests | undefined,
    released: 0,
  }
  const memory = Buffer.from(bytes)
  const content = new HeldContent(
    new MemoryContent([memory], undefined, processDigests),
    () => {
      seen.freed += 1
      // Somebody else's bytes are there now.
      memory.fill(0)
    },
    (known) => {
      seen.known = known
      return {
        content: new MemoryContent([bytes], undefined, processDigests),
        release: () => void (seen.released += 1),
      }
    },
  )
  for (const kind of asked) content.expect(kind)
  return { content, seen }
}

async function sent(content: HeldContent): Promise<Buffer> {
  const views: Buffer[] = []
  for await (const view of content.body(pace, () => undefined)()) {
    views.push(Buffer.from(view))
  }
  return Buffer.concat(views)
}

await t.test('memory is given back when the last byte has left', async (t) => {
  const { content, seen } = held(['md5'])
  const views = content.body(pace, () => undefined)()
  const body = views[Symbol.asyncIterator]()
  let left = 0
  while (left < bytes.length) {
    const { value } = await body.next()
    left += value?.length ?? 0
    t.equal(seen.freed, 0, `${left} bytes are on their way`)
  }
  t.equal((await body.next()).done, true)
  await content.settled()
  t.equal(seen.freed, 1)
  t.equal(seen.known, undefined, 'nothing is read again')
})

await t.test('an attempt that was cut is made of what is held', async (t) => {
  const { content, seen } = held()
  for await (const _ of content.body(pace, () => undefined)()) break
  t.ok(bytes.equals(await sent(content)))
  t.equal(seen.known, undefined)
})

await t.test('what is sent again is read again', async (t) => {
  const { content, seen } = held(['md5', 'crc64nvme'])
  t.ok(bytes.equals(await sent(content)))
  t.ok(bytes.equals(await sent(content)))
  t.ok(bytes.equals(await sent(content)))
  t.same(
    [...(seen.known ?? [])],
    [
      ['md5', await processDigests.here('md5', bytes)],
      ['crc64nvme', await processDigests.here('crc64nvme', bytes)],
    ],
  )
  content.release()
  t.equal(seen.released, 1)
  content.release()
  t.equal(seen.released, 1)
})

await t.test('digests are of the bytes as they were', async (t) => {
  const { content, seen } = held(['md5'])
  await sent(content)
  await content.settled()
  const md5 = await processDigests.here('md5', bytes)
  t.equal(await content.digest('md5'), md5)
  t.equal(seen.known, undefined, 'known before')
  const sha256 = await processDigests.here('sha256', bytes)
  t.equal(await content.digest('sha256'), sha256)
  t.same([...(seen.known?.keys() ?? [])], ['md5'])
})

await t.test(
  'others are read while parts that have left wait for answers',
  async (t) => {
    const { partSize, concurrency } = modes.held
    const b = await fileBench(t, { size: 8 * partSize, mode: modes.held })
    b.server.setFault(({ operation }) =>
      operation === 'UploadPart' ? { kind: 'silence' } : undefined,
    )
    const stop = new AbortController()
    const files = new WatchedFiles({
      onRead: (position) => {
        if (position >= 2 * concurrency * partSize - partSize) stop.abort()
      },
    })
    await t.rejects(b.run({ signal: stop.signal }, files), {
      code: 'PAWL_SUSPENDED',
    })
  },
)

await t.test('a part whose answer is lost is read again', async (t) => {
  const { partSize } = modes.held
  const b = await fileBench(t, { size: 4 * partSize, mode: modes.held })
  let lost = 0
  b.server.setFault(({ operation, partNumber }) =>
    operation === 'UploadPart' && partNumber === 2 && lost++ < 2
      ? { kind: 'reply-lost' }
      : undefined,
  )
  const { verified } = await b.run()
  t.equal(verified, 'md5')
  t.ok(b.bytes.equals(await b.object(key)))
  const ofPart = b.files.reads.filter(
    ({ position }) => position >= partSize && position < 2 * partSize,
  )
  const read = ofPart.reduce((sum, { length }) => sum + length, 0)
  t.equal(read, 3 * partSize)
})

await t.test('a part that has other bytes when sent again', async (t) => {
  const { partSize } = modes.held
  const b = await fileBench(t, { size: 4 * partSize, mode: modes.held })
  let lost = 0
  b.server.setFault(({ operation, partNumber }) => {
    if (operation !== 'UploadPart' || partNumber !== 2 || lost++ > 0) {
      return undefined
    }
    return { kind: 'reply-lost' }
  })
  const files = new WatchedFiles({
    // Of the same size and times, as far as anybody can see.
    onBytes: (into, position) => {
      if (lost > 0 && position === partSize) into[0] = (into[0] ?? 0) ^ 1
    },
  })
  await t.rejects(b.run({}, files), { code: 'PAWL_SOURCE_CHANGED' })
  const { requests } = b.server
  t.notOk(
    requests.some(({ operation }) => operation === 'CompleteMultipartUpload'),
  )
})
