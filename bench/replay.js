/**
 * Replay: everything is stored, the same call reads the source again and proves
 * every part; beside `fs.read` of 1 MiB and xxh64 in one loop, which is the floor,
 * and beside a stream of that, also with the copy that a part needs, in a process
 * that has loaded what an upload needs.
 */
import { row } from './support/report.js'

export const title = 'replay of stored parts'

export async function run({ runs, compare, server, input }) {
  const base = { port: server.port, directory: input.directory }
  const found = await compare(
    [
      {
        name: 'fs.read of 1 MiB + xxh64',
        client: 'read-parts',
        options: { hash: true, block: 1024 ** 2 },
      },
      {
        name: 'stream of 64 KiB + xxh64',
        client: 'read-stream',
        options: { hash: true },
      },
      {
        name: '+ copy, pawl loaded',
        client: 'read-stream',
        options: { hash: true, copy: true },
      },
      {
        name: 'pawl, CRC-64 off',
        client: 'pawl-replay',
        options: { ...base, verify: false },
      },
      {
        name: 'pawl, CRC-64 on',
        client: 'pawl-replay',
        options: { ...base, crc: true },
      },
    ],
    { runs },
  )
  const [floor, , loaded, off] = [...found.values()]
  return {
    tables: [{ title, rows: [...found].map(([name, one]) => row(name, one)) }],
    goals: [
      {
        goal: 'replay: throughput, of fs.read + xxh64',
        atLeast: 0.8,
        measured: floor.wall / off.wall,
      },
      {
        goal: 'replay: CPU, of fs.read + xxh64',
        measured: off.cpu / floor.cpu,
      },
      {
        goal: 'replay: CPU, of the same with a copy and pawl loaded',
        measured: off.cpu / loaded.cpu,
      },
    ],
  }
}
