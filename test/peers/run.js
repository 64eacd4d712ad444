#!/usr/bin/env node
/**
 * Runs other people's clients against `pawl serve`: `npm run test:peers`.
 *
 *     node test/peers/run.js               all of them
 *     node test/peers/run.js aws rclone    some of them
 *
 * Those of Debian are installed when they are missing (as root). Each step is
 * printed with what became of it; one that fails ends its peer, and the rest goes
 * on. The whole has five minutes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { aliOss } from './ali-oss.js'
import { aws } from './aws.js'
import { boto3 } from './boto3.js'
import { openDesk } from './desk.js'
import { libStorage } from './lib-storage.js'
import { installed } from './packages.js'
import { rclone } from './rclone.js'
import { s3cmd } from './s3cmd.js'

const limit = 5 * 60_000
const peers = {
  aws,
  rclone,
  s3cmd,
  boto3,
  'ali-oss': aliOss,
  'lib-storage': libStorage,
}

const names = process.argv.slice(2)
const unknown = names.find((name) => peers[name] === undefined)
if (unknown !== undefined) {
  console.error(`${unknown}: expected one of ${Object.keys(peers).join(', ')}`)
  process.exit(2)
}
const chosen = names.length > 0 ? names : Object.keys(peers)

const ending = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => ending.abort(new Error(signal)))
}
const late = sleep(limit, undefined, { signal: ending.signal, ref: false })
late.then(
  () => ending.abort(new Error('five minutes are over')),
  () => undefined,
)

/** Rejects when all has to end. */
const ended = new Promise((_, reject) => {
  ending.signal.addEventListener('abort', () => reject(ending.signal.reason))
})
// Told by the step that it ends.
ended.catch(() => undefined)

await installed(chosen.flatMap((name) => peers[name].packages ?? []))
const desk = await openDesk(ending.signal)
const failed = []
let steps = 0
try {
  for (const name of chosen) {
    if (!(await runPeer(name, peers[name]))) failed.push(name)
  }
} finally {
  await desk.close()
}
console.log(`${steps} steps of ${chosen.length} peers passed`)
if (failed.length > 0) {
  console.error(`failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
// A client that hangs would keep the process.
if (ending.signal.aborted) process.exit()

async function runPeer(name, peer) {
  let step = 'starting'
  try {
    console.log(`\n${name}: ${(await peer.version(desk)).trim()}`)
    for (const [title, work] of peer.steps(desk)) {
      step = title
      await Promise.race([ended, work()])
      steps++
      console.log(`  ok  ${title}`)
    }
    return true
  } catch (error) {
    console.log(`  FAILED  ${step}`)
    console.error(error)
    return false
  }
}
