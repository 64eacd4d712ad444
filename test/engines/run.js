#!/usr/bin/env node
/**
 * Runs the tests of logs and tickets on real engines: `npm run test:engines`.
 *
 *     node test/engines/run.js                 all files of this folder
 *     node test/engines/run.js redis           one of them: redis.ts
 *     node test/engines/run.js --tier=long     hours, with more kills
 *
 * Redis with Sentinel, PostgreSQL and NATS are installed from Debian if they are missing
 * (as root). Each test starts what it needs on loopback, in a directory of its own
 * (`support/`), and stops it by its process ID. What cannot be installed is a failure.
 */
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endGroup, startGroup } from '../support/own-group.js'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = join(here, '../..')

/** Debian's packages, and what is there when they are. */
const packages = {
  'redis-server': () => isCommand('redis-server'),
  'redis-sentinel': () => isCommand('redis-sentinel'),
  postgresql: () => existsSync('/usr/lib/postgresql'),
  pgbouncer: () => isCommand('pgbouncer'),
  'nats-server': () => isCommand('nats-server'),
}

/** The tests under way, which a signal ends with all that they have started. */
let testing
let isInterrupted = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    isInterrupted = true
    if (testing !== undefined) endGroup(testing)
  })
}

try {
  const words = process.argv.slice(2)
  const tier = words.find((word) => word.startsWith('--tier='))?.slice(7)
  const names = words.filter((word) => !word.startsWith('--'))
  await install()
  process.exitCode = await test(filesOf(names), tier ?? 'more')
} catch (error) {
  console.error(`test:engines: ${error.message}`)
  process.exitCode = 1
}

function filesOf(names) {
  const all = readdirSync(here).filter((name) => name.endsWith('.ts'))
  if (names.length === 0) return all
  return names.map((name) => {
    if (all.includes(`${name}.ts`)) return `${name}.ts`
    throw new Error(
      `${name}: expected ${all.map((one) => one.slice(0, -3)).join(', ')}`,
    )
  })
}

async function install() {
  const missing = Object.entries(packages).filter(([, isThere]) => !isThere())
  if (missing.length === 0) return
  const words = [
    ['update', '-q'],
    [
      'install',
      '-y',
      '-q',
      '--no-install-recommends',
      ...missing.map(([name]) => name),
    ],
  ]
  for (const more of words) {
    const lock = ['-o', 'DPkg::Lock::Timeout=300']
    // With this run level no package starts its service.
    const env = {
      ...process.env,
      DEBIAN_FRONTEND: 'noninteractive',
      RUNLEVEL: '1',
    }
    // One at a time: apt-get update does not wait for its lock.
    const words = [join(tmpdir(), 'apt-servers.lock'), 'apt-get', ...lock]
    // No signal reaches it: what it has begun to install it ends.
    const apt = startGroup('flock', [...words, ...more], {
      stdio: ['ignore', 2, 2],
      env,
    })
    const [code] = await once(apt, 'close')
    if (code !== 0) throw new Error(`apt-get ${more.join(' ')} failed`)
  }
}

async function test(files, tier) {
  if (isInterrupted) throw new Error('interrupted')
  const begin = performance.now()
  const tap = join(root, 'node_modules/.bin/tap')
  const paths = files.map((file) => `test/engines/${file}`)
  const seconds = tier === 'long' ? 0 : 470
  const limits = [`--timeout=${seconds}`, '--jobs=2']
  testing = startGroup(tap, [...limits, ...paths], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PAWL_TIER: tier },
  })
  const [code] = await once(testing, 'close')
  testing = undefined
  if (isInterrupted) throw new Error('interrupted')
  const took = Math.round((performance.now() - begin) / 1000)
  console.log(`\nengines: ${code === 0 ? 'passed' : 'FAILED'}, in ${took} s`)
  return code ?? 1
}

function isCommand(name) {
  return (process.env.PATH ?? '')
    .split(':')
    .some((directory) => existsSync(join(directory, name)))
}
