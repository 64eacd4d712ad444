/**
 * Many small files from the command line, beside what people use for it today:
 * whole processes, from their start to their exit, on one server.
 *
 * Debian's awscli, rclone and s3cmd are installed when they are missing (as root).
 */
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { installed } from '../test/peers/packages.js'
import { aws, pawl, rclone, s3cmd } from './support/command-lines.js'
import { median, spread } from './support/report.js'
import { runCommand } from './support/run-command.js'

export const title = 'many small files, by commands'

const KiB = 1024
const MiB = 1024 * KiB

export async function run({ runs, quick, server, input }) {
  await installed(['awscli', 'rclone', 's3cmd', 'python3'])
  const trees = [
    { files: 300, size: 16 * KiB },
    { files: quick ? 1000 : 10_000, size: KiB },
  ]
  const directory = await mkdtemp(join(input.directory, 'commands-'))
  const contenders = await contendersIn(directory, server)
  const tables = []
  const goals = []
  for (const tree of trees) {
    const path = join(directory, `${tree.files}`)
    await writeTree(path, tree, input.block)
    const found = await compare(contenders, {
      runs,
      path,
      directory,
      server,
      files: tree.files,
    })
    const name = `${tree.files} files of ${tree.size / KiB} KiB`
    tables.push({
      title: `${title}: ${name}`,
      rows: [...found].map(([who, samples]) => rowOf(who, samples)),
    })
    const wall = (who) => median(found.get(who).map((sample) => sample.wall))
    for (const peer of ['aws s3 cp --recursive', 'rclone copy']) {
      goals.push({
        goal: `${name}: pawl put -r, wall time, of ${peer}`,
        atMost: 1,
        measured: wall('pawl put -r') / wall(peer),
      })
    }
  }
  await rm(directory, { recursive: true })
  return { tables, goals, versions: versions() }
}

/** Files that all differ, a hundred to a directory. */
async function writeTree(path, { files, size }, block) {
  for (let i = 0; i < files; i++) {
    const folder = join(path, `${Math.floor(i / 100)}`)
    if (i % 100 === 0) await mkdir(folder, { recursive: true })
    const at = (i * 4096) % (block.length - size)
    await writeFile(join(folder, `file-${i}`), block.subarray(at, at + size))
  }
}

/** Every round in another order; each run of each into a place of its own. */
async function compare(contenders, { runs, path, directory, server, files }) {
  const samples = new Map(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round < runs; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const { name, command } = contenders[(i + round) % contenders.length]
      const prefix = `${path.length}-${round}-${i}-${Date.now()}`
      const before = await server.objects()
      samples.get(name).push(await runCommand(command(path, prefix), directory))
      const sent = (await server.objects()) - before
      if (sent !== files) throw new Error(`${name} sent ${sent} of ${files}`)
    }
    process.stderr.write('.')
  }
  process.stderr.write('\n')
  return samples
}

async function contendersIn(directory, { port }) {
  const where = { port, directory }
  const bucket = 'examplebucket'
  const onRclone = await rclone(where)
  const onS3cmd = await s3cmd(where)
  const words = (text) => text.split(' ')
  return [
    {
      name: 'pawl put -r',
      command: (path, prefix) =>
        pawl(
          ...words(`put -r --endpoint http://127.0.0.1:${port}`),
          path,
          `s3://${bucket}/${prefix}/`,
        ),
    },
    {
      name: 'aws s3 cp --recursive',
      command: (path, prefix) =>
        aws(
          where,
          ...words('s3 cp --recursive --no-progress --only-show-errors'),
          path,
          `s3://${bucket}/${prefix}/`,
        ),
    },
    {
      name: 'rclone copy',
      command: (path, prefix) =>
        onRclone('copy', path, `dev:${bucket}/${prefix}`),
    },
    {
      name: 'rclone copy --transfers 16',
      command: (path, prefix) =>
        onRclone(
          ...words('copy --transfers 16'),
          path,
          `dev:${bucket}/${prefix}`,
        ),
    },
    {
      name: 's3cmd put -r',
      command: (path, prefix) =>
        onS3cmd(
          ...words('--no-progress --quiet put -r'),
          `${path}/`,
          `s3://${bucket}/${prefix}/`,
        ),
    },
  ]
}

function rowOf(name, samples) {
  const of = (key) => samples.map((sample) => sample[key])
  return {
    '': name,
    'wall s': median(of('wall')).toFixed(2),
    'CPU s': median(of('cpu')).toFixed(2),
    'peak MiB': (median(of('peakRss')) / MiB).toFixed(0),
    'wall spread': spread(of('wall')),
  }
}

function versions() {
  const packages = ['awscli', 'rclone', 's3cmd']
  const format = '-f=${Package} ${Version}\n'
  return execFileSync('dpkg-query', ['-W', format, ...packages], {
    encoding: 'utf8',
  })
    .trim()
    .split('\n')
}
