/** Which parts a stopped run lets end. */
import t from 'tap'
import { lastParts, type PartOnWire } from '../../../lib/upload/calls/wire.js'

const MB = 1_000_000
const part = (sent: number, elapsed: number): PartOnWire => ({
  size: 8 * MB,
  sent: sent * MB,
  elapsed,
})

await t.test('what is worth its time is waited for', async (t) => {
  const rows: [
    name: string,
    parts: PartOnWire[],
    kept: number[],
    wait: number,
  ][] = [
    ['nothing is on the wire', [], [], 0],
    ['all has left, and an answer is due', [part(8, 5000)], [0], 1200],
    ['all has left at once', [part(8, 5)], [0], 5],
    ['it has not moved', [part(0, 5000)], [], 0],
    ['half a part, on a slow line', [part(4, 4000)], [], 0],
    ['nearly all of it', [part(7, 7000)], [0], 1200],
    [
      'four share 4 MB/s and are nearly through',
      Array.from({ length: 4 }, () => part(7, 7000)),
      [0, 1, 2, 3],
      1200,
    ],
    [
      'one of four can end, when it has the line to itself',
      [part(3, 5000), part(5, 5000), part(6, 5000), part(6.5, 5000)],
      [2, 3],
      1200,
    ],
    [
      'equal ones, of which there is time for one',
      Array.from({ length: 4 }, () => part(5, 5000)),
      [0],
      1200,
    ],
    [
      'one has just begun beside one that is nearly through',
      [part(7.9, 8000), part(0.1, 100)],
      [0],
      1200,
    ],
  ]
  for (const [name, parts, kept, wait] of rows) {
    const found = lastParts(parts, 1200)
    t.same(
      parts.flatMap((one, i) => (found.kept.has(one) ? [i] : [])),
      kept,
      name,
    )
    t.equal(found.wait, wait, name)
  }
})
