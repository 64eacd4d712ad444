/**
 * Plays fleets: `npm run simulate:fleet -- [--files N] [--file-size BYTES]
 * [--life SECONDS] [--seed N]`. The store's quotas are OSS's ordinary ones.
 */
import { parseArgs } from 'node:util'
import { simulateFleet } from './simulation.js'

const number = { type: 'string' } as const
const { values } = parseArgs({
  options: {
    files: { ...number, default: '1e8' },
    'file-size': { ...number, default: '1048576' },
    life: { ...number, default: '1800' },
    seed: { ...number, default: '1' },
  },
})
const model = {
  files: Number(values.files),
  fileSize: Number(values['file-size']),
  sliceFiles: 1000,
  line: 10e9 / 8,
  atOnce: 16,
  latency: 0.02,
  quota: { requests: 10_000, bytes: 20e9 / 8 },
  life: Number(values.life),
  lease: 30,
  restart: 60,
  seed: Number(values.seed),
}
console.log('machines      hours     deaths   repeated   a death      asked')
for (const machines of [1, 4, 16, 64]) {
  const { seconds, deaths, repeated, asked } = simulateFleet({
    ...model,
    machines,
  })
  const each = deaths === 0 ? 0 : repeated / deaths
  const cells = [
    String(machines).padStart(8),
    (seconds / 3600).toFixed(2).padStart(10),
    String(deaths).padStart(10),
    repeated.toFixed(0).padStart(10),
    each.toFixed(1).padStart(9),
    asked.toFixed(0).padStart(10),
  ]
  console.log(cells.join(' '))
}
