/** A compressor in front of the upload, beside reading and compressing alone. */
import { hasZstd } from './clients/compressor.js'
import { row } from './support/report.js'

export const title = 'behind a compressor'
const MiB = 1024 * 1024

export async function run({ runs, quick, compare, server, input }) {
  const base = { port: server.port, directory: input.directory, verify: false }
  const job = await input.file((quick ? 64 : 256) * MiB)
  const warmUp = await input.file((quick ? 32 : 64) * MiB)
  const kinds = hasZstd ? ['gzip', 'zstd'] : ['gzip']
  const rows = []
  const goals = []
  for (const compress of kinds) {
    const found = await compare(
      [
        {
          name: `${compress} alone`,
          client: 'compress',
          options: { compress },
        },
        {
          name: `${compress}, then pawl`,
          client: 'pawl-stream',
          options: { ...base, compress },
        },
      ],
      { runs, job, warmUp },
    )
    rows.push(...[...found].map(([name, one]) => row(name, one)))
    const [alone, piped] = [...found.values()]
    for (const kind of ['cpu', 'wall']) {
      goals.push({
        goal: `upload behind ${compress}: ${kind}, of ${compress} alone`,
        measured: piped[kind] / alone[kind],
      })
    }
  }
  return { tables: [{ title, rows }], goals }
}
