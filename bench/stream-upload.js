/**
 * Stream upload of a file over loopback, beside its floor: reading, plain undici
 * PUTs of ready parts and xxh64, each alone, added up. `bare` does the whole job
 * in the fewest lines: what is lost by doing the three together, and the copy.
 */
import { row } from './support/report.js'

export const title = 'stream upload'
const MiB = 1024 * 1024

export async function run({ runs, quick, compare, server, input }) {
  const base = { port: server.port, directory: input.directory }
  const pawl = (name, options) => ({
    name,
    client: 'pawl-stream',
    options: { ...base, ...options },
  })
  const off = { verify: false }
  const on = { crc: true }
  const contenders = [
    { name: 'reading alone', client: 'read-stream' },
    { name: 'undici PUT alone', client: 'undici-put', options: base },
    { name: 'xxh64 alone', client: 'hash-parts' },
    { name: 'bare pipeline', client: 'bare-stream', options: base },
    pawl('pawl, CRC-64 off', off),
    pawl('pawl, CRC-64 off, with a log', { ...off, checkpoint: true }),
    pawl('pawl, CRC-64 on', on),
    pawl('pawl, CRC-64 on, with a log', { ...on, checkpoint: true }),
    ...(quick
      ? []
      : [
          pawl('CRC-64 off, 1 at once', { ...off, concurrency: 1 }),
          pawl('CRC-64 off, 16 at once', { ...off, concurrency: 16 }),
          pawl('CRC-64 off, parts of 1 MiB', { ...off, partSize: MiB }),
          pawl('CRC-64 off, parts of 64 MiB', { ...off, partSize: 64 * MiB }),
          pawl('CRC-64 on, parts of 1 MiB', { ...on, partSize: MiB }),
          pawl('CRC-64 on, parts of 64 MiB', { ...on, partSize: 64 * MiB }),
          {
            name: 'CRC-64 alone, one thread',
            client: 'hash-parts',
            options: { kind: 'crc64ecma' },
          },
        ]),
  ]
  const found = await compare(contenders, { runs })
  const cpu = (name) => found.get(name).cpu
  const floor =
    cpu('reading alone') + cpu('undici PUT alone') + cpu('xxh64 alone')
  const rows = [...found].map(([name, summary]) =>
    row(name, summary, { 'CPU / floor': (summary.cpu / floor).toFixed(2) }),
  )
  const wall = (name) => found.get(name).wall
  return {
    tables: [
      { title: `${title}; the floor is ${floor.toFixed(2)} CPU s/GiB`, rows },
    ],
    goals: [
      {
        goal: 'stream upload CPU, CRC-64 off, of its floor',
        atMost: 1.25,
        measured: cpu('pawl, CRC-64 off') / floor,
      },
      ...(quick
        ? []
        : [
            {
              goal: 'CRC-64 on: CPU on top, of the CRC-64 alone',
              atMost: 1,
              measured:
                (cpu('pawl, CRC-64 on') - cpu('pawl, CRC-64 off')) /
                cpu('CRC-64 alone, one thread'),
            },
          ]),
      {
        goal: 'CRC-64 on: wall time, of that without',
        measured: wall('pawl, CRC-64 on') / wall('pawl, CRC-64 off'),
      },
      {
        goal: 'the log: CPU of an upload with it, of that without',
        measured: cpu('pawl, CRC-64 off, with a log') / cpu('pawl, CRC-64 off'),
      },
    ],
  }
}
