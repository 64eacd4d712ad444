/** What is done when V8 collects all garbage again and again for a few chunks. */
import { PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { chunkCollections } from '../../lib/upload/chunk-collections.js'
import { CollectionPace } from '../../lib/upload/collection-pace.js'
import { createPartStream } from '../../lib/index.js'
import { noise } from '../support/dev-store.js'
import {
  chunksOf,
  failureOf,
  part,
  smallUploads,
} from '../support/small-upload.js'

const MiB = 1024 ** 2

await t.test(
  "full collections far from one another are nobody's fault",
  (t) => {
    const pace = new CollectionPace()
    for (let i = 0; i < 10; i++) {
      t.equal(pace.took(40 * MiB), 0)
      pace.collected()
    }
    t.equal(pace.took(MiB), 0)
    t.end()
  },
)

await t.test(
  'near ones call for garbage, until there were none for long',
  (t) => {
    const pace = new CollectionPace()
    pace.took(8 * MiB)
    pace.collected()
    t.equal(pace.took(8 * MiB), 0, 'one may come by chance')
    pace.collected()
    t.equal(pace.took(8 * MiB), 16 * MiB)
    pace.collected()
    t.equal(pace.took(40 * MiB), 80 * MiB)
    pace.collected()
    t.equal(pace.took(40 * MiB), 80 * MiB, 'one far off is not the end of it')
    t.equal(pace.took(900 * MiB), 1800 * MiB)
    t.equal(pace.took(100 * MiB), 0)
    pace.collected()
    t.equal(pace.took(8 * MiB), 0)
    t.end()
  },
)

await t.test('the collections are those of V8', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const told = async (): Promise<void> => {
    collect()
    await new Promise((resolve) => {
      setTimeout(resolve, 20)
    })
  }
  chunkCollections.open()
  chunkCollections.took(MiB)
  t.equal(chunkCollections.garbage, undefined)
  await told()
  await told()
  chunkCollections.took(100)
  t.equal(chunkCollections.garbage, undefined, 'not enough for a piece')
  chunkCollections.took(64 * 1024)
  t.equal(chunkCollections.garbage?.length, 8192)
  chunkCollections.close()
  t.equal(chunkCollections.garbage, undefined)
})

await t.test('nobody watches when no chunks are taken', async (t) => {
  const dev = await smallUploads(t)
  t.notOk(chunkCollections.isOpen)
  await dev.run(noise(3 * part))
  t.notOk(chunkCollections.isOpen, 'after an upload')

  const upload = dev.upload({ key: 'another' })
  const source = new PassThrough()
  const sending = pipeline(source, upload)
  source.write(noise(10))
  upload.once('progress', () => {
    t.ok(chunkCollections.isOpen)
    upload.destroy()
  })
  await t.rejects(sending, { code: 'PAWL_SUSPENDED' })
  await failureOf(upload)
  t.notOk(chunkCollections.isOpen, 'after one that was suspended')

  const parts = createPartStream({ partSize: part })
  parts.on('data', ({ release }: { release: () => void }) => {
    t.ok(chunkCollections.isOpen)
    release()
  })
  await pipeline(Readable.from(chunksOf(noise(2 * part))), parts)
  t.notOk(chunkCollections.isOpen, 'after a part stream')
})
