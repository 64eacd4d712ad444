/**
 * Is resident memory flat? Batches of 20 uploads at once, again and again in one
 * process: files of 12.6 MB, streams of 8 MB, streams of one byte, with default
 * options. What counts is how much more the last batch leaves than the third.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { processDigests } from '../dist/hash/digest.js'
import { startServer } from './support/start-server.js'

const MiB = 1024 * 1024
const batches = 15
const atOnce = 20
const partSize = 8 * MiB
const child = fileURLToPath(new URL('support/batches.js', import.meta.url))

const sources = [
  { name: 'files of 12.6 MB', kind: 'file', size: 12_600_000 },
  { name: 'streams of 8 MB', kind: 'stream', size: 8_000_000 },
  { name: 'streams of one byte', kind: 'stream', size: 1 },
]

export async function run({ runs, input }) {
  const server = await startServer(await crc64Table(input.block))
  const found = new Map(sources.map(({ name }) => [name, []]))
  try {
    for (let round = 0; round < runs; round++) {
      for (const source of sources) {
        const { path } = await input.file(source.size)
        const job = { ...source, path, port: server.port, batches, atOnce }
        found.get(source.name).push(await curveOf(job))
        process.stderr.write('.')
      }
    }
  } finally {
    server.stop()
  }
  process.stderr.write('\n')
  const shown = [1, 2, 3, 6, 9, 12, batches]
  const growth = (curve) => curve.at(-1) / curve[2]
  const worst = [...found].map(([name, curves]) => ({
    name,
    curve: curves.toSorted((a, b) => growth(a) - growth(b)).at(-1),
  }))
  return {
    samples: Object.fromEntries(found),
    tables: [
      {
        title: `memory: MiB resident after so many batches of ${atOnce} uploads, the worst of ${runs}`,
        rows: worst.map(({ name, curve }) => ({
          '': name,
          ...Object.fromEntries(
            shown.map((n) => [`after ${n}`, (curve[n - 1] / MiB).toFixed(0)]),
          ),
          most: (Math.max(...curve) / MiB).toFixed(0),
        })),
      },
    ],
    goals: worst.map(({ name, curve }) => ({
      goal: `${name}: resident after ${batches} batches, of that after 3`,
      atMost: 1.2,
      measured: growth(curve),
    })),
  }
}

/** Bytes resident after each batch. */
async function curveOf(job) {
  // V8's young heap has its size from the start: what grows is not that.
  const execArgv = ['--min-semi-space-size=16']
  const process = fork(child, [JSON.stringify(job)], { execArgv })
  let curve
  process.on('message', (message) => (curve = message))
  const [code] = await once(process, 'exit')
  if (curve === undefined) throw new Error(`${job.name} ended with ${code}`)
  return curve
}

/** What the server says of each part of the sources, by its size and number. */
async function crc64Table(block) {
  const table = {}
  for (const { size } of sources) {
    for (let at = 0, n = 0; at < size; at += partSize, n++) {
      const part = block.subarray(at, Math.min(size, at + partSize))
      const row = (table[part.length] ??= [])
      const value = await processDigests.here('crc64ecma', part)
      while (row.length <= n) row.push(value)
    }
  }
  return table
}
