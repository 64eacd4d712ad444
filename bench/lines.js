/**
 * Lines that are slow, far, near and none: the library and the command, as they
 * are without any option, beside fixed numbers of parts at once.
 *
 * The server paces what it reads and answers (`support/line.js`). Nothing is
 * warmed up: what is measured begins with one part on a line that is not known.
 * What the line takes for the bytes is the floor.
 */
import { startServer } from './support/start-server.js'
import { row } from './support/report.js'

export const title = 'lines'

const MB = 1e6
const MiB = 1024 * 1024

const lines = [
  {
    name: 'slow',
    traits: { connection: 4 * MB, total: 4 * MB, roundTrip: 200 },
    // A GiB would take four and a half minutes a run.
    share: 1 / 16,
    fixed: [4],
  },
  {
    name: 'far',
    traits: { connection: 10 * MB, total: 100 * MB, roundTrip: 50 },
    share: 1,
    fixed: [4, 16],
    atMost: { file: 1.2, stream: 1.3, ten: 1.25 },
  },
  {
    name: 'near',
    traits: { connection: 50 * MB, total: 120 * MB, roundTrip: 5 },
    share: 1,
    fixed: [4, 16],
  },
  { name: 'loopback', share: 1, fixed: [1, 2, 4, 8, 16], best: 1.1 },
]

export async function run({ runs, quick, compare, input, size }) {
  const tables = []
  const goals = []
  const crc64 = await input.crc64Table([8 * MiB])
  for (const line of lines) {
    const server = await startServer(crc64, line.traits)
    try {
      const job = await input.file(Math.max(16 * MiB, size * line.share))
      const contenders = contendersOn(line, { server, input, quick })
      const options = { runs, job, warmUp: undefined }
      const found = await compare(contenders, options)
      tables.push(tableOf(line, job, found))
      goals.push(...goalsOf(line, job, found))
    } finally {
      server.stop()
    }
  }
  return { tables, goals }
}

function contendersOn({ fixed }, { server, input, quick }) {
  const base = { port: server.port, directory: input.directory }
  const off = { ...base, verify: false }
  const on = { ...base, crc: true }
  return [
    { name: 'uploadFile', client: 'pawl-file', options: on },
    { name: 'uploadFile, verify off', client: 'pawl-file', options: off },
    { name: 'stream', client: 'pawl-stream', options: on },
    { name: 'stream, verify off', client: 'pawl-stream', options: off },
    { name: 'pawl put', client: 'pawl-command', options: on },
    { name: 'pawl put, verify off', client: 'pawl-command', options: off },
    {
      name: 'ten streams',
      client: 'pawl-stream',
      options: { ...off, uploads: 10 },
    },
    ...(quick ? [] : fixed).map((concurrency) => ({
      name: `uploadFile, verify off, ${concurrency} at once`,
      client: 'pawl-file',
      options: { ...off, concurrency },
    })),
  ]
}

/** Seconds that the line takes for the bytes; undefined where there is none. */
function floorOf({ traits }, { size }) {
  return traits && size / traits.total
}

function tableOf(line, job, found) {
  const floor = floorOf(line, job)
  const { traits } = line
  const said =
    traits === undefined
      ? 'as it is'
      : `${traits.connection / MB} MB/s a connection, ${traits.total / MB} MB/s in all, ${traits.roundTrip} ms`
  return {
    title: `${title}: ${line.name} (${said}), ${job.size / MiB} MiB`,
    rows: [...found].map(([name, summary]) =>
      row(name, summary, {
        'of the line': floor ? (summary.wall / floor).toFixed(2) : '',
      }),
    ),
  }
}

function goalsOf(line, job, found) {
  const { name, atMost, best, fixed } = line
  const wall = (who) => found.get(who)?.wall
  const goals = []
  const add = (goal, most, measured) =>
    goals.push({ goal: `${name} line: ${goal}`, atMost: most, measured })
  if (atMost !== undefined) {
    const floor = floorOf(line, job)
    add('uploadFile, of the line', atMost.file, wall('uploadFile') / floor)
    add('a stream, of the line', atMost.stream, wall('stream') / floor)
    add('ten streams, of the line', atMost.ten, wall('ten streams') / floor)
  }
  const numbers = fixed
    .map((n) => wall(`uploadFile, verify off, ${n} at once`))
    .filter((seconds) => seconds !== undefined)
  if (best !== undefined && numbers.length > 0) {
    const auto = wall('uploadFile, verify off')
    add('auto, of the best number', best, auto / Math.min(...numbers))
  }
  return goals
}
