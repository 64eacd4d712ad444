/**
 * What `import` costs, in time and memory, in a process that does nothing else; and
 * `pawl --version`, from its start to its exit.
 */
import { fileURLToPath } from 'node:url'
import { median, row } from './support/report.js'
import { runCommand } from './support/run-command.js'

export const title = 'start'

const pawl = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const names = [
  'nothing',
  'undici',
  'pawl',
  'ali-oss',
  '@aws-sdk/lib-storage',
  'minio',
]

export async function run({ runs, compare, input }) {
  const found = await compare(
    names.map((name) => ({
      name: `import ${name}`,
      client: 'import',
      options: { name },
    })),
    { runs, job: { size: 1024 ** 3 }, isWhole: true },
  )
  const version = []
  for (let round = 0; round < runs; round++) {
    const command = [process.execPath, pawl, '--version']
    version.push(await runCommand(command, input.directory))
  }
  const rows = [...found].map(([name, one]) => ({
    '': name,
    'wall ms': ms(one.wall),
    'least wall ms': ms(one.leastWall),
    'CPU ms': ms(one.cpu),
    'least CPU ms': ms(one.leastCpu),
    'peak MiB': row(name, one)['peak MiB'],
  }))
  const of = (key) => version.map((sample) => sample[key])
  rows.push({
    '': 'pawl --version',
    'wall ms': ms(median(of('wall'))),
    'least wall ms': ms(Math.min(...of('wall'))),
    'CPU ms': ms(median(of('cpu'))),
    'least CPU ms': ms(Math.min(...of('cpu'))),
    'peak MiB': (median(of('peakRss')) / 1024 ** 2).toFixed(0),
  })
  return {
    tables: [{ title, rows }],
    goals: [
      {
        goal: 'import pawl: CPU, of import undici',
        atMost: 1.2,
        measured: found.get('import pawl').cpu / found.get('import undici').cpu,
      },
      {
        goal: 'pawl --version: CPU ms',
        atMost: 120,
        measured: median(of('cpu')) * 1000,
      },
    ],
  }
}

function ms(seconds) {
  return (seconds * 1000).toFixed(0)
}
