import t from 'tap'
import { usualSizes } from '../../lib/upload/options/part-sizes.js'
import { uploadEndless } from '../support/endless-upload.js'

await t.test('300 GB of a pipe, killed on each side of the joint', (t) =>
  uploadEndless(t, {
    size: 300_000_000_000,
    sizes: usualSizes,
    kills: [990, 1200],
    memory: 220 * 1024 * 1024,
  }),
)
