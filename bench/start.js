/** What `import` costs, in time and memory, in a process that does nothing else. */
import { row } from './support/report.js'

export const title = 'import'

export async function run({ runs, compare }) {
  const found = await compare(
    ['nothing', 'undici', 'pawl'].map((name) => ({
      name: `import ${name}`,
      client: 'import',
      options: { name },
    })),
    { runs, job: { size: 1024 ** 3 }, warmUp: undefined },
  )
  const rows = [...found].map(([name, one]) => ({
    '': name,
    'wall ms': (one.wall * 1000).toFixed(0),
    'CPU ms': (one.cpu * 1000).toFixed(0),
    'peak MiB': row(name, one)['peak MiB'],
  }))
  return { tables: [{ title, rows }], goals: [] }
}
