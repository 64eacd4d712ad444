/**
 * Small files by the library, 16 at once, whole processes: `uploadFile` beside
 * `readFile` and a bare undici PUT, and beside other clients.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export const title = 'small files, by the library'

const size = 16 * 1024
const atOnce = 16
/** Files that there are; they are uploaded over and over, under other keys. */
const different = 300

export async function run({ runs, quick, compare, server, input }) {
  const files = quick ? 1000 : 4000
  const directory = join(input.directory, 'small-files')
  await mkdir(directory, { recursive: true })
  for (let i = 0; i < different; i++) {
    const at = i * size
    await writeFile(
      join(directory, `file-${i}`),
      input.block.subarray(at, at + size),
    )
  }
  const contender = (name, client, options = {}) => ({
    name,
    client: 'small-files',
    options: { client, port: server.port, atOnce, different, ...options },
  })
  const off = { verify: false, checkpoint: false }
  const found = await compare(
    [
      contender('readFile + undici PUT', 'bare'),
      contender('pawl to S3, no checks, no log', 'pawl', {
        dialect: 's3',
        ...off,
      }),
      contender('pawl to S3, defaults', 'pawl', { dialect: 's3' }),
      contender('pawl to OSS, no checks, no log', 'pawl', off),
      contender('pawl to OSS, defaults', 'pawl'),
      contender('ali-oss', 'ali-oss'),
      contender('lib-storage', 'aws'),
      contender('minio', 'minio'),
    ],
    {
      runs,
      isWhole: true,
      job: { path: directory, size: files * size, files },
    },
  )
  const ms = (seconds) => ((seconds / files) * 1000).toFixed(3)
  const cpuOf = (samples) => samples.map(({ user, system }) => user + system)
  const rows = [...found].map(([name, one]) => {
    const cpus = cpuOf(one.samples)
    return {
      '': name,
      'CPU ms a file': ms((one.cpu * files * size) / 1024 ** 3),
      least: ms(Math.min(...cpus)),
      'wall ms a file': ms(one.wall),
      'peak MiB': (one.peakRss / 1024 ** 2).toFixed(0),
      'CPU spread': one.cpuSpread,
    }
  })
  const [floor] = [...found.values()]
  const goals = [...found]
    .filter(([name]) => name.startsWith('pawl'))
    .map(([name, { cpu }]) => ({
      goal: `files of 16 KiB: ${name}: CPU, of readFile + undici PUT`,
      atMost: name.includes('no checks') ? 2.5 : 3,
      measured: cpu / floor.cpu,
    }))
  return {
    tables: [{ title: `${title}: ${files} of 16 KiB`, rows }],
    goals,
  }
}
