/**
 * Does time grow with the number of parts, or of uploads at once? The same 10,000
 * parts of 100 KiB as 100 uploads of 100, 10 of 1,000 and one of 10,000; the same
 * bytes as 1, 10 and 100 uploads at once that share one store.
 */
import { row } from './support/report.js'

export const title = 'scale'
const KiB = 1024
const MiB = 1024 * KiB

export async function run({ runs, quick, compare, server, input }) {
  const base = { port: server.port, directory: input.directory, verify: false }
  const share = quick ? 5 : 1
  const counts = quick ? [20, 200, 2000] : [100, 1000, 10_000]
  const partSize = 100 * KiB
  const total = 10_000 / share
  const many = await compare(
    counts.map((count) => ({
      name: `${count} parts`,
      client: 'pawl-stream',
      options: { ...base, checkpoint: true, partSize, times: total / count },
    })),
    {
      runs,
      job: await input.file(total * partSize),
      warmUp: await input.file(1000 * partSize),
    },
  )
  const perPart = ({ wall }) => (wall / total) * 1e6
  const cpuPerPart = ({ cpu }) => cpu * (partSize / 1024 ** 3) * 1e6
  const atOnce = await compare(
    [1, 10, 100].map((uploads) => ({
      name: `${uploads} at once`,
      client: 'pawl-stream',
      options: { ...base, partSize: MiB, uploads },
    })),
    { runs },
  )
  const few = many.get(`${counts[0]} parts`)
  const most = many.get(`${counts[2]} parts`)
  return {
    tables: [
      {
        title: 'scale: parts of 100 KiB in one upload, with a log',
        rows: [...many].map(([name, one]) =>
          row(name, one, {
            'µs a part': perPart(one).toFixed(0),
            'CPU µs a part': cpuPerPart(one).toFixed(0),
          }),
        ),
      },
      {
        title: 'scale: uploads at once, parts of 1 MiB',
        rows: [...atOnce].map(([name, one]) => row(name, one)),
      },
    ],
    goals: [
      {
        goal: `CPU a part at ${counts[2]} parts, of that at ${counts[0]}`,
        atMost: 1.1,
        measured: most.cpu / few.cpu,
      },
      {
        goal: `wall time a part at ${counts[2]} parts, of that at ${counts[0]}`,
        atMost: 1.1,
        measured: most.wall / few.wall,
      },
      {
        goal: '100 uploads at once: CPU, of one',
        measured: atOnce.get('100 at once').cpu / atOnce.get('1 at once').cpu,
      },
    ],
  }
}
