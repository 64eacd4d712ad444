/**
 * One file by whole processes, as users run them: import, compiler and all; and
 * what a further GiB costs, which is what is left when those are paid for.
 */
import { row } from './support/report.js'

export const title = 'whole processes'

const MiB = 1024 ** 2

export async function run({ runs, quick, compare, server, input }) {
  const base = { port: server.port, directory: input.directory }
  const contender = (name, client, options = {}) => ({
    name,
    client,
    options: { ...base, ...options },
  })
  const off = { verify: false }
  const contenders = [
    contender('file: fs.read + undici PUTs', 'bare-file', { isHashed: false }),
    contender('file: pawl', 'pawl-file', off),
    contender('file: ali-oss', 'ali-oss'),
    contender('stream: pawl', 'pawl-stream', off),
    contender('stream: lib-storage', 'aws', { checksums: false }),
    contender('stream: minio', 'minio'),
  ]
  const [small, large] = (quick ? [64, 256] : [1024, 4096]).map(
    (mib) => mib * MiB,
  )
  const once = await compare(contenders, {
    runs,
    isWhole: true,
    job: await input.file(small),
  })
  const more = await compare(contenders, {
    runs,
    isWhole: true,
    job: await input.file(large),
  })
  const gib = (bytes) => bytes / 1024 ** 3
  const marginal = [...once].map(([name, less]) => {
    const { leastCpu, leastWall } = more.get(name)
    const further = gib(large - small)
    const cpu = leastCpu * gib(large) - less.leastCpu * gib(small)
    return {
      '': name,
      'CPU s/GiB': (cpu / further).toFixed(2),
      'wall s/GiB': ((leastWall - less.leastWall) / further).toFixed(2),
    }
  })
  const rows = [...once].map(([name, one]) =>
    row(name, one, {
      'least CPU': one.leastCpu.toFixed(2),
      'least wall': one.leastWall.toFixed(2),
    }),
  )
  const ofAliOss = (who, atMost) =>
    ['cpu', 'wall'].map((kind) => ({
      goal: `${who}: ${kind === 'cpu' ? 'CPU' : 'wall time'} of a process, of ali-oss from a file`,
      atMost,
      measured: once.get(who)[kind] / once.get('file: ali-oss')[kind],
    }))
  const sizes = `${small / MiB} MiB`
  return {
    tables: [
      { title: `${title}: ${sizes}`, rows },
      {
        title: `${title}: what is beyond, to ${large / MiB} MiB, by the least`,
        rows: marginal,
      },
    ],
    goals: [...ofAliOss('stream: pawl', 1), ...ofAliOss('file: pawl', 0.6)],
  }
}
