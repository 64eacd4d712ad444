import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { ResumableUploadStream } from '../../../lib/upload/stream.js'
import { handClock } from '../../support/hand-clock.js'
import { environmentOn, key, storeInMemory } from '../../support/hand-upload.js'

for (const [verify, digest] of [
  ['md5', 'md5'],
  ['crc64', 'crc64nvme'],
] as const) {
  await t.test(
    `a digest that goes first waits for no upload and no turn: ${digest}`,
    async (t) => {
      const memory = storeInMemory()
      const environment = environmentOn(handClock())
      let begun = 0
      let tellBegun: () => void = () => undefined
      const bothBegun = new Promise<void>((resolve) => (tellBegun = resolve))
      const { digests } = environment
      const watched: typeof digests = {
        create: (kind) => digests.create(kind),
        beside: (kind, size) => digests.beside(kind, size),
        warmUp: () => digests.warmUp(),
        digest: (kind, ...pieces) => {
          t.equal(kind, digest)
          if (++begun === 2) tellBegun()
          return digests.digest(kind, ...pieces)
        },
      }
      memory.before = async ({ call }) => {
        if (call === 'createUpload') await bothBegun
      }
      const store = { ...memory.store, digest }
      const upload = new ResumableUploadStream(
        { store, key, checkpoint: false, partSize: 2, concurrency: 1, verify },
        { ...environment, digests: watched },
      )
      await pipeline(Readable.from([Buffer.from('abcd')]), upload)
      t.equal(String(memory.objects.get(key)), 'abcd')
      t.equal(begun, 2, 'each was worked out once')
    },
  )
}
