/**
 * `uploadFile` over loopback, beside its floor: `fs.read` into parts, plain undici
 * PUTs of ready parts and xxh64, each alone, added up.
 */
import { row } from './support/report.js'

export const title = 'uploadFile'
const MiB = 1024 * 1024

export async function run({ runs, quick, compare, server, input }) {
  const base = { port: server.port, directory: input.directory }
  const pawl = (name, options) => ({
    name,
    client: 'pawl-file',
    options: { ...base, ...options },
  })
  const off = { verify: false }
  const contenders = [
    { name: 'fs.read into parts alone', client: 'read-parts' },
    { name: 'undici PUT alone', client: 'undici-put', options: base },
    { name: 'xxh64 alone', client: 'hash-parts' },
    { name: 'bare client', client: 'bare-file', options: base },
    pawl('pawl, CRC-64 off', off),
    pawl('pawl, CRC-64 on', { crc: true }),
    pawl('pawl, CRC-64 on, with a log', { crc: true, checkpoint: true }),
    ...(quick
      ? []
      : [
          pawl('CRC-64 off, 1 at once', { ...off, concurrency: 1 }),
          pawl('CRC-64 off, 16 at once', { ...off, concurrency: 16 }),
          pawl('CRC-64 off, parts of 1 MiB', { ...off, partSize: MiB }),
          pawl('CRC-64 off, parts of 64 MiB', { ...off, partSize: 64 * MiB }),
        ]),
  ]
  const found = await compare(contenders, { runs })
  const cpu = (name) => found.get(name).cpu
  const floor =
    cpu('fs.read into parts alone') +
    cpu('undici PUT alone') +
    cpu('xxh64 alone')
  const rows = [...found].map(([name, summary]) =>
    row(name, summary, { 'CPU / floor': (summary.cpu / floor).toFixed(2) }),
  )
  const { cpu: off4 } = found.get('pawl, CRC-64 off')
  return {
    tables: [
      { title: `${title}; the floor is ${floor.toFixed(2)} CPU s/GiB`, rows },
    ],
    goals: [
      {
        goal: 'uploadFile CPU, CRC-64 off, of its floor',
        atMost: 1.2,
        measured: off4 / floor,
      },
    ],
  }
}
