/**
 * The end of an object by many machines: 10,000 receipts are read, checked, logged,
 * joined and completed by one process. CPU, since most of its time it waits.
 */
import { median, spread } from './support/report.js'

export const title = 'joining the parts of other machines'

export async function run({ runs, quick, compare, server }) {
  const parts = quick ? 2000 : 10_000
  const found = await compare(
    [
      {
        name: 'completeUpload',
        client: 'join',
        options: { port: server.port, parts },
      },
    ],
    { runs, job: { size: 1024 ** 3 }, warmUp: undefined },
  )
  const { samples, peakRss } = found.get('completeUpload')
  const cpus = samples.map(
    ({ user, system }) => ((user + system) / parts) * 1e6,
  )
  return {
    tables: [
      {
        title: `${title}: ${parts} parts`,
        rows: [
          {
            '': 'completeUpload',
            'CPU µs a part': median(cpus).toFixed(1),
            'CPU spread': spread(cpus),
            'peak MiB': (peakRss / 1024 ** 2).toFixed(0),
          },
        ],
      },
    ],
    goals: [
      {
        goal: `joining ${parts} parts: CPU a part, µs`,
        atMost: 100,
        measured: median(cpus),
      },
    ],
  }
}
