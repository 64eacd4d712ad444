import t from 'tap'
import { uploadEndless } from '../support/endless-upload.js'

const MiB = 1024 * 1024

/** Parts of the usual sizes, of which the small ones are few. */
await t.test('3 GB of a pipe, killed on each side of the joint', (t) =>
  uploadEndless(t, {
    size: 3_000_000_000,
    sizes: {
      partSize: 8 * MiB,
      growth: [{ from: 41, partSize: 32 * MiB }],
    },
    kills: [35, 55],
    memory: 220 * MiB,
  }),
)
