/**
 * Is memory flat? Batches of 20 uploads at once, again and again in one process as
 * users run it: files of 12.6 MB, streams of 8 MB, streams of one byte, with default
 * options. What counts is how much more the last batch leaves than the least since the
 * third: beside V8's heap, whose size is V8's business, and in it, when all garbage is
 * collected.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { processDigests } from './modules/hash/digest.js'
import { startServer } from './support/start-server.js'

const MiB = 1024 * 1024
const batches = 15
/** The third has met what every upload needs. */
const base = 3
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
        const job = { ...source, path, port: server.port, atOnce }
        const few = await report({ ...job, batches: base })
        const { curve, live } = await report({ ...job, batches })
        found.get(source.name).push({ curve, live: [few.live, live] })
        process.stderr.write('.')
      }
    }
  } finally {
    server.stop()
  }
  process.stderr.write('\n')
  const worst = [...found].map(([name, samples]) => ({
    name,
    ...samples.toSorted((a, b) => growth(a) - growth(b)).at(-1),
  }))
  const shown = [1, 2, 3, 6, 9, 12, batches]
  const rows = worst.flatMap(({ name, curve }) =>
    Object.entries(kinds).map(([what, bytesOf]) => ({
      '': name + what,
      ...Object.fromEntries(
        shown.map((n) => [`after ${n}`, mib(bytesOf(curve[n - 1]))]),
      ),
      most: mib(Math.max(...curve.map(bytesOf))),
    })),
  )
  return {
    samples: Object.fromEntries(found),
    tables: [
      {
        title: `memory: MiB resident after so many batches of ${atOnce} uploads, the worst of ${runs}`,
        rows,
      },
      {
        title: 'MiB of the heap in use, when all garbage is collected',
        rows: worst.map(({ name, live: [few, many] }) => ({
          '': name,
          [`after ${base}`]: mib(few),
          [`after ${batches}`]: mib(many),
        })),
      },
    ],
    goals: worst.flatMap(({ name, live: [few, many], ...sample }) => [
      {
        goal: `${name}: resident beside the heap after ${batches} batches, of the least since ${base}`,
        atMost: 1.2,
        measured: growth(sample),
      },
      {
        goal: `${name}: heap in use after ${batches} batches, of that after ${base}`,
        atMost: 1.2,
        measured: many / few,
      },
    ]),
  }
}

/** Rows of the table, in bytes after a batch. */
const kinds = {
  '': ({ resident }) => resident,
  ', beside the heap': besideHeap,
}

function besideHeap({ resident, heap }) {
  return resident - heap
}

function growth({ curve }) {
  // While V8 compiles, it takes tens of MiB for a moment.
  const least = Math.min(...curve.slice(base - 1).map(besideHeap))
  return besideHeap(curve.at(-1)) / least
}

function mib(bytes) {
  return (bytes / MiB).toFixed(0)
}

/** What the process of some batches says of itself. */
async function report(job) {
  const process = fork(child, [JSON.stringify(job)])
  let said
  process.on('message', (message) => (said = message))
  const [code] = await once(process, 'exit')
  if (said === undefined) throw new Error(`${job.name} ended with ${code}`)
  return said
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
