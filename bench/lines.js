/**
 * Lines that are slow, far, near and none: the library and the command, as they are
 * without any option, beside fixed numbers of parts at once; all commands on S3. Where a
 * picture is made of it, other clients too, with parts of 8 MiB, four at once.
 *
 * The server paces what it reads and answers (`support/line.js`). Nothing is
 * warmed up: what is measured begins with one part on a line that is not known.
 * What the line takes for the bytes is the floor.
 */
import { installed } from '../test/peers/packages.js'
import { aws, pawl, rclone } from './support/command-lines.js'
import { startServer } from './support/start-server.js'
import { median, row } from './support/report.js'

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
    // minio sends one part after the other: that takes two minutes a run.
    others: ['ali-oss', 'aws'],
    atMost: { file: 1.2, stream: 1.3, ten: 1.25, aws: 0.95, rclone: 0.5 },
  },
  {
    name: 'near',
    traits: { connection: 50 * MB, total: 120 * MB, roundTrip: 5 },
    share: 1,
    fixed: [4, 16],
  },
  {
    name: 'loopback',
    share: 1,
    fixed: [1, 2, 4, 8, 16],
    others: ['ali-oss', 'aws', 'minio'],
    best: 1.1,
  },
]

/** Clients by what a reader calls them. */
const others = {
  'ali-oss': 'ali-oss, a file',
  aws: 'lib-storage, a stream',
  minio: 'minio, a stream',
}

/** What a picture shows, and how: what each is, and what somebody would use instead. */
const shown = {
  'pawl put': 'pawl put',
  'aws s3 cp': 'aws s3 cp',
  'rclone copyto': 'rclone copyto',
  uploadFile: 'pawl, a file',
  'ali-oss, a file': 'ali-oss, a file (checks nothing)',
  stream: 'pawl, a stream',
  'lib-storage, a stream': 'lib-storage, a stream',
  'minio, a stream': 'minio, a stream',
}

export const choices = lines.map(({ name }) => name)

export async function run({ runs, quick, compare, input, size, only }) {
  await installed(['awscli', 'rclone', 'python3'])
  const tables = []
  const goals = []
  const charts = {}
  const crc64 = await input.crc64Table([8 * MiB])
  for (const line of lines) {
    if (only !== undefined && line.name !== only) continue
    const server = await startServer(crc64, line.traits)
    try {
      const job = await input.file(Math.max(16 * MiB, size * line.share))
      const contenders = await contendersOn(line, { server, input, quick })
      const options = { runs, job, warmUp: undefined }
      const found = await compare(contenders, options)
      tables.push(tableOf(line, job, found))
      goals.push(...goalsOf(line, job, found))
      if (line.others !== undefined) charts[line.name] = barsOf(found)
    } finally {
      server.stop()
    }
  }
  return { tables, goals, charts }
}

/** Time and CPU of one file, in seconds. */
function barsOf(found) {
  return Object.entries(shown).flatMap(([contender, name]) => {
    const summary = found.get(contender)
    if (summary === undefined) return []
    const cpus = summary.samples.map(({ user, system }) => user + system)
    return [{ name, wall: summary.wall, cpu: median(cpus) }]
  })
}

async function contendersOn(
  { fixed, others: clients = [] },
  { server, input, quick },
) {
  const base = { port: server.port, directory: input.directory }
  const off = { ...base, verify: false }
  const on = { ...base, crc: true }
  return [
    { name: 'uploadFile', client: 'pawl-file', options: on },
    { name: 'uploadFile, verify off', client: 'pawl-file', options: off },
    { name: 'stream', client: 'pawl-stream', options: on },
    { name: 'stream, verify off', client: 'pawl-stream', options: off },
    ...(await commandsOn(base)),
    ...clients.map((client) => ({
      name: others[client],
      client,
      options: base,
    })),
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

/** Each checks what it checks by default, unless it says so. */
async function commandsOn(where) {
  const { port, directory } = where
  const url = 's3://bench/{key}'
  const put = ['put', '--quiet', '--endpoint', `http://127.0.0.1:${port}`]
  const quiet = ['--no-progress', '--only-show-errors']
  const onRclone = await rclone(where)
  const all = {
    'pawl put': pawl(...put, '{path}', url),
    'pawl put, verify off': pawl(...put, '--verify', 'none', '{path}', url),
    'aws s3 cp': aws(where, 's3', 'cp', ...quiet, '{path}', url),
    'rclone copyto': onRclone('copyto', '{path}', 'dev:bench/{key}'),
  }
  return Object.entries(all).map(([name, command]) => ({
    name,
    client: 'command',
    options: { command, directory },
  }))
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
    const put = wall('pawl put')
    add('pawl put, of aws s3 cp', atMost.aws, put / wall('aws s3 cp'))
    add(
      'pawl put, of rclone copyto',
      atMost.rclone,
      put / wall('rclone copyto'),
    )
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
