/** Runs contenders in turn, each run in a process of its own. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { median, spread } from './report.js'

const child = fileURLToPath(new URL('child.js', import.meta.url))

/**
 * `contenders`: `{ name, client, options, execArgv?, env? }`. Every round runs each of
 * them once, beginning with another one each time, so that what disturbs the
 * machine disturbs all. `isWhole`: processes are measured from their start, without
 * a warm-up. Resolves to a Map from name to its summary.
 */
export async function compare(contenders, { runs, warmUp, job, isWhole }) {
  const samples = new Map(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round < runs; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + round) % contenders.length]
      const sample = await runOnce({ warmUp, job, isWhole, ...contender })
      samples.get(contender.name).push(sample)
    }
    process.stderr.write('.')
  }
  process.stderr.write('\n')
  return new Map(
    contenders.map(({ name, job: own }) => [
      name,
      summary(samples.get(name), own ?? job),
    ]),
  )
}

async function runOnce({
  client,
  options = {},
  warmUp,
  job,
  isWhole = false,
  execArgv = [],
  env = {},
}) {
  const work = JSON.stringify({ client, options, warmUp, job, isWhole })
  const process = fork(child, [work], {
    execArgv,
    env: { ...globalThis.process.env, ...env },
  })
  let sample
  process.on('message', (message) => (sample = message))
  const [code] = await once(process, 'exit')
  if (sample === undefined) {
    throw new Error(`${client} ${JSON.stringify(options)} ended with ${code}`)
  }
  return sample
}

const GiB = 1024 ** 3

/** Medians; CPU is in seconds a GiB, wall in seconds, memory in bytes. */
function summary(samples, { size }) {
  const gib = size / GiB
  const cpus = samples.map(({ user, system }) => (user + system) / gib)
  const walls = samples.map(({ wall }) => wall)
  return {
    cpu: median(cpus),
    leastCpu: Math.min(...cpus),
    cpuSpread: spread(cpus),
    wall: median(walls),
    leastWall: Math.min(...walls),
    wallSpread: spread(walls),
    rate: size / median(walls),
    peakRss: median(samples.map(({ peakRss }) => peakRss)),
    samples,
  }
}
