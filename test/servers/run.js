#!/usr/bin/env node
/**
 * Runs the contract test against real object servers: `npm run test:servers`.
 *
 *     node test/servers/run.js                 Ceph RADOS Gateway and OpenStack Swift
 *     node test/servers/run.js ceph-rgw        one of them
 *     S3_BUCKET=… node test/servers/run.js     the store that S3_* or OSS_* name
 *
 * Each server is installed if it is missing, started in a directory of its own,
 * and removed again in any case. One that cannot be started is a failure.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { freemem, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endGroup, startGroup } from '../support/own-group.js'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = join(here, '../..')
const GiB = 1024 ** 3

const servers = {
  'ceph-rgw': {
    tests: ['contract.ts', 'loss.ts', 'large.ts', 'machines.ts'],
    environment: {
      // The large upload is kept whole, and copied here and there.
      RGW_STORE: freemem() > 10 * GiB ? 'memstore' : 'bluestore',
      RGW_STORE_GB: '8',
      RGW_OPTS: 'rgw max listing results = 20',
    },
  },
  'swift-s3': {
    tests: ['contract.ts', 'loss.ts', 'machines.ts'],
    environment: {
      SWIFT_MAX_PARTS: '10000',
      SWIFT_S3API_OPTS: 'max_parts_listing = 20',
    },
  },
}

/** The tests under way, if any. */
let testing
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true
    if (testing !== undefined) endGroup(testing)
  })
}

const isNamed =
  process.env.S3_BUCKET !== undefined || process.env.OSS_BUCKET !== undefined
const names = process.argv.slice(2)
try {
  if (isNamed) await test(['contract.ts'], {})
  else {
    for (const name of names.length > 0 ? names : Object.keys(servers)) {
      await testServer(name)
    }
  }
} catch (error) {
  console.error(`test:servers: ${error.message}`)
  process.exitCode = 1
}

async function testServer(name) {
  const server = servers[name]
  if (server === undefined) {
    throw new Error(`${name}: expected ${Object.keys(servers).join(' or ')}`)
  }
  const script = join(here, name)
  const directory = await mkdtemp(join(tmpdir(), `pawl-${name}-`))
  try {
    const output = await call(script, ['start', directory], server.environment)
    if (output === undefined) {
      throw new Error(
        `${name} could not be installed or started, see above; nothing was tested against it`,
      )
    }
    await test(server.tests, { ...exported(output), S3_SERVER: name })
  } catch (error) {
    await showLogs(directory)
    throw error
  } finally {
    await remove(script, directory)
  }
}

async function remove(script, directory) {
  // Before this file there is nothing that could run.
  const isMade = await access(join(directory, 'kind')).then(
    () => true,
    () => false,
  )
  if (isMade && (await call(script, ['delete', directory])) === undefined) {
    throw new Error(`the server in ${directory} could not be stopped`)
  }
  await rm(directory, { recursive: true, force: true })
}

/** What the script says, or undefined when it fails. Ctrl-C does not reach it. */
async function call(script, words, environment = {}) {
  const child = spawn(script, words, {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
    env: { ...process.env, ...environment },
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text))
  const [code] = await once(child, 'close')
  return code === 0 ? output : undefined
}

/** `export NAME=value` lines. */
function exported(output) {
  const lines = output.matchAll(/^export (\w+)=(.*)$/gm)
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value]))
}

async function test(files, environment) {
  if (interrupted) throw new Error('interrupted')
  const tap = join(root, 'node_modules/.bin/tap')
  const paths = files.map((file) => `test/servers/${file}`)
  testing = startGroup(tap, ['--timeout=400', '--jobs=1', ...paths], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  })
  const [code] = await once(testing, 'close')
  testing = undefined
  if (interrupted) throw new Error('interrupted')
  if (code !== 0) {
    throw new Error(`failed against ${environment.S3_SERVER ?? 'the store'}`)
  }
}

/** The ends of a server's own logs, for a failure that is its own. */
async function showLogs(directory) {
  const names = await readdir(join(directory, 'log')).catch(() => [])
  for (const name of names) {
    const text = await readFile(join(directory, 'log', name), 'utf8')
    const end = text.trimEnd().split('\n').slice(-10).join('\n')
    console.error(`--- ${name}\n${end}`)
  }
}
