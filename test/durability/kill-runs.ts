/**
 * An upload that is killed with SIGKILL again and again, and run again until it
 * finishes. The server lives in this process: it holds the upload where it is to
 * be killed, and what it had stored at that moment is known exactly.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Fault } from '../../lib/dev-server/index.js'
import { devStore, noise, sha256, smallPart } from '../support/dev-store.js'
import { randomFrom } from '../support/seed.js'
import { startUpload } from '../support/upload-child.js'

export interface KillRuns {
  /** Parts that were stored at a kill and sent again all the same. */
  sentAgain: number[]
  /** Its SHA-256. */
  object: string
  bytes: Buffer
  /** Requests for parts in all, cut ones included. */
  requests: number
}

/** Parts in flight. */
const concurrency = 3
/** Parts that a run stores at the most before it is held. */
const mostParts = 8

/** What becomes of the parts that are under way at a kill. */
const holds: readonly Fault[] = [
  { kind: 'silence' },
  { kind: 'silence', apply: true },
  { kind: 'stall', afterBytes: smallPart >> 1 },
]

/** `seed` decides where the kills come. */
export async function killRuns(
  t: Test,
  options: { kills: number; seed: number; gzip: boolean },
): Promise<KillRuns> {
  const { kills, seed, gzip } = options
  const random = randomFrom(seed)
  t.comment(`PAWL_SEED=${seed}`)
  const dev = await devStore(t)
  const parts = kills * (mostParts + concurrency) + concurrency
  const bytes = noise(parts * smallPart + 1234, seed)
  const file = join(dev.directory, 'source')
  await writeFile(file, bytes)
  const job = {
    endpoint: dev.server.endpoint,
    key: 'killed/object',
    checkpoint: join(dev.directory, 'log.pawl'),
    file,
    partSize: smallPart,
    concurrency,
    gzip,
  }
  const stored = new Set<number>()
  const sentAgain: number[] = []
  let seen = 0
  const lookBack = (): void => {
    const requests = dev.seen('UploadPart')
    for (const { partNumber = 0 } of requests.slice(seen)) {
      if (stored.has(partNumber)) sentAgain.push(partNumber)
    }
    for (const { partNumber = 0, applied } of requests) {
      if (applied) stored.add(partNumber)
    }
    seen = requests.length
  }
  for (let run = 0; run < kills; run++) {
    const hold = holds[Math.floor(random() * holds.length)]
    let left = Math.floor(random() * mostParts)
    const held = new Promise<void>((resolve) => {
      dev.server.setFault(({ operation }) => {
        if (operation !== 'UploadPart' || left-- > 0) return undefined
        resolve()
        return hold
      })
    })
    const child = startUpload(job)
    // A quarter of the kills comes at any moment, the start of the process too.
    await (random() < 0.25 ? delay(random() * 250) : held)
    // What is held first is then further on its way, or not.
    await delay(random() * 5)
    child.kill()
    const { signal } = await child.ended
    t.equal(signal, 'SIGKILL', `killed, ${dev.seen('UploadPart').length} parts`)
    lookBack()
  }
  dev.server.setFault(undefined)
  const { code } = await startUpload(job).ended
  t.equal(code, 0, 'left alone, it finishes')
  lookBack()
  t.same(dev.server.openUploads(), [], 'no upload is left')
  return {
    sentAgain,
    object: sha256(await dev.object(job.key)),
    bytes,
    requests: seen,
  }
}
