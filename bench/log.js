/**
 * The log of 10,000 parts: appended one by one and by four at once, each durable
 * before the next, beside plain appends of the same lines with the same syncs;
 * and read back, in a process of its own.
 */
import { row } from './support/report.js'

export const title = 'the log, 10,000 parts'

export async function run({ runs, quick, compare, input }) {
  const parts = quick ? 2000 : 10_000
  const base = { directory: input.directory, parts }
  const job = { size: 1024 ** 3 }
  const contender = (name, kind, more) => ({
    name,
    client: 'log',
    options: { ...base, kind, ...more },
  })
  const found = await compare(
    [
      contender('plain appends, 1 at once', 'plain', { atOnce: 1 }),
      contender('pawl, 1 at once', 'pawl', { atOnce: 1 }),
      contender('plain appends, 4 at once', 'plain', { atOnce: 4 }),
      contender('pawl, 4 at once', 'pawl', { atOnce: 4 }),
      contender('reading the bytes', 'read-bytes'),
      contender('xxh64 and JSON.parse a line', 'read-lines'),
      contender('readCheckpoint', 'read'),
      contender('readCheckpoint, once more', 'read', { isSecond: true }),
    ],
    { runs, job, warmUp: undefined },
  )
  const cells = ([name, one]) => {
    const { 'wall s': _wall, 'MiB/s': _rate, ...rest } = row(name, one)
    const { 'CPU s/GiB': cpu, ...others } = rest
    return {
      '': name,
      'wall ms': (one.wall * 1000).toFixed(1),
      'CPU ms': (Number(cpu) * 1000).toFixed(0),
      ...others,
      'wall spread': one.wallSpread,
    }
  }
  const wall = (name) => found.get(name).wall
  return {
    tables: [
      {
        title: title.replace('10,000', String(parts)),
        rows: [...found].map(cells),
      },
    ],
    goals: [
      ...[1, 4].map((n) => ({
        goal: `log, ${parts} parts, ${n} at once: wall time, of plain appends`,
        atMost: 2,
        measured:
          wall(`pawl, ${n} at once`) / wall(`plain appends, ${n} at once`),
      })),
      {
        goal: `reading the log of ${parts} parts back, ms, first call of a process`,
        atMost: 100,
        measured: wall('readCheckpoint') * 1000,
      },
      {
        goal: 'reading the log: wall time, of xxh64 and JSON.parse a line',
        measured: wall('readCheckpoint') / wall('xxh64 and JSON.parse a line'),
      },
    ],
  }
}
