/**
 * One measured run: a process of its own, so that memory, compiled code and
 * connections are nobody else's. The client does a warm-up job first; then CPU
 * (all threads, user and system) and wall time of the job itself are measured. Or
 * all of it is, from the start of the process, as users run it. A client that starts
 * a command measures that instead.
 */
import { readFileSync } from 'node:fs'

const { client, options, warmUp, job, isWhole } = JSON.parse(process.argv[2])
const { createClient } = await import(`../clients/${client}.js`)
const { prepare, run, end, measure = measured } = await createClient(options)

let done = 0
function named(what) {
  return { ...what, key: `object-${process.pid}-${++done}` }
}

async function measured(what) {
  await prepare?.(what)
  const cpu = process.cpuUsage()
  const start = process.hrtime.bigint()
  await run(what)
  const wall = Number(process.hrtime.bigint() - start) / 1e9
  const { user, system } = process.cpuUsage(cpu)
  return { wall, user: user / 1e6, system: system / 1e6 }
}

if (warmUp !== undefined && !isWhole) await measure(named(warmUp))
const sample = await measure(named(job))
await end?.()
const whole = { peakRss: peakRss(), ...(isWhole ? sinceStart() : sample) }
process.send(whole, () => process.exit())

function sinceStart() {
  const { user, system } = process.cpuUsage()
  const wall = performance.now() / 1000
  return { wall, user: user / 1e6, system: system / 1e6 }
}

/** Bytes. Linux counts the parent's in `maxRSS` until exec, so it is asked. */
function peakRss() {
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    return Number(/^VmHWM:\s+(\d+)/m.exec(status)[1]) * 1024
  } catch {
    return process.resourceUsage().maxRSS * 1024
  }
}
