/**
 * What somebody who waits sees, by default options: when the first part is stored on a
 * slow line, how `bytesDone` rises, and how near to a rate that was asked for the bytes
 * arrive. What arrives is counted by the server.
 */
import { setInterval } from 'node:timers/promises'
import { uploadFile } from '../dist/index.js'
import { storeOf } from './clients/pawl.js'
import { startServer } from './support/start-server.js'
import { median, spread } from './support/report.js'

export const title = 'pace'

const MB = 1e6
const MiB = 1024 * 1024
const slow = { connection: 4 * MB, total: 4 * MB, roundTrip: 200 }
const maxRate = 5 * MB
/** Seconds after which the rate holds. */
const settled = 3

export async function run({ runs, input, quick }) {
  const watched = []
  const rated = []
  for (let round = 0; round < runs; round++) {
    watched.push(await onSlowLine(await input.file((quick ? 32 : 64) * MiB)))
    rated.push(await atRate(await input.file((quick ? 32 : 96) * MiB)))
    process.stderr.write('.')
  }
  process.stderr.write('\n')
  const first = watched.map((one) => one.firstStored)
  const least = watched.map((one) => one.leastRise)
  const back = watched.map((one) => one.back)
  const away = rated.flat().map((bytes) => Math.abs(bytes / maxRate - 1))
  return {
    tables: [
      {
        title: `${title}: 4 MB/s, 200 ms; medians of ${runs}`,
        rows: [
          {
            '': 'uploadFile',
            'first part stored, s': median(first).toFixed(2),
            'slowest over fastest': spread(first),
            'least rise of bytesDone in a second, MB': (
              Math.min(...least) / MB
            ).toFixed(2),
            'times it went back': Math.max(...back),
          },
        ],
      },
      {
        title: `${title}: maxRate of 5 MB/s, seconds from the ${settled + 1}th on`,
        rows: [
          {
            '': 'uploadFile',
            seconds: away.length,
            'farthest from it, %': (Math.max(...away) * 100).toFixed(1),
            'median, %': (median(away) * 100).toFixed(1),
          },
        ],
      },
    ],
    goals: [
      {
        goal: 'slow line: first part stored, s',
        atMost: 5,
        measured: median(first),
      },
      {
        goal: 'slow line: least rise of bytesDone in a second, MB',
        atLeast: 0.01,
        measured: Math.min(...least) / MB,
      },
      {
        goal: 'slow line: times that bytesDone went back',
        atMost: 0,
        measured: Math.max(...back),
      },
      {
        goal: 'maxRate: a second away from it, at most',
        atMost: 0.1,
        measured: Math.max(...away),
      },
    ],
  }
}

/** One upload to a server of its own, and what `watch` finds meanwhile. */
async function upload({ path }, { line, options }, watch) {
  const server = await startServer({}, line)
  const over = new AbortController()
  const done = uploadFile(path, {
    store: storeOf({ port: server.port }),
    key: 'watched',
    checkpoint: false,
    ...options,
  })
  const watching = watch(server, over.signal)
  try {
    await done
  } finally {
    over.abort()
    await watching
    server.stop()
  }
}

/** Calls every second, until the signal. */
async function everySecond(signal, call) {
  try {
    for await (const _ of setInterval(1000, undefined, { signal })) await call()
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function onSlowLine(file) {
  const began = performance.now()
  let [firstStored, done, back] = [NaN, 0, 0]
  const seen = []
  const options = {
    onProgress: ({ bytesDone, bytesStored }) => {
      if (bytesDone < done) back += 1
      done = bytesDone
      if (bytesStored > 0 && Number.isNaN(firstStored)) {
        firstStored = (performance.now() - began) / 1000
      }
    },
  }
  await upload(file, { line: slow, options }, (_server, signal) =>
    everySecond(signal, () => seen.push(done)),
  )
  if (done !== file.size) throw new Error(`bytesDone ended at ${done}`)
  const rises = seen.slice(1).map((bytes, i) => bytes - seen[i])
  return { firstStored, leastRise: Math.min(...rises), back }
}

/** Bytes that came in each second, but the first and the last ones. */
async function atRate(file) {
  const counts = []
  await upload(file, { options: { maxRate } }, (server, signal) =>
    everySecond(signal, async () => {
      counts.push({ at: performance.now(), bytes: await server.bytes() })
    }),
  )
  return counts.slice(settled, -1).map(({ at, bytes }, i) => {
    const before = counts[settled - 1 + i]
    return ((bytes - before.bytes) / (at - before.at)) * 1000
  })
}
