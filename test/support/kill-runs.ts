/**
 * An upload that is killed with SIGKILL again and again, and run again until it
 * finishes. The server lives in this process, so what it had stored at the
 * moment of a kill is known exactly.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { compiledSources } from './compiled.js'
import { devStore, noise, sha256, smallPart } from './dev-store.js'
import { startUpload } from './upload-child.js'

export interface KillRuns {
  kills: number
  runs: number
  parts: number
  /** Parts that were stored at a kill and sent again all the same. */
  sentAgain: number[]
  object: string
  bytes: Buffer
  /** Requests for parts in all, cut ones included. */
  requests: number
}

/** `seed` decides when the kills come. */
export async function killRuns(
  t: Test,
  options: { kills: number; seed: number; gzip: boolean; parts: number },
): Promise<KillRuns> {
  const random = randomFrom(options.seed)
  t.comment(`seed ${options.seed}`)
  const sources = await compiledSources(t)
  // Slow enough for a kill to come between parts.
  const dev = await devStore(t, { bytesPerSecond: 4 << 20 })
  const bytes = noise(options.parts * smallPart + 1234, options.seed)
  const file = join(dev.directory, 'source')
  await writeFile(file, bytes)
  const job = {
    endpoint: dev.server.endpoint,
    key: 'killed/object',
    checkpoint: join(dev.directory, 'log.pawl'),
    file,
    partSize: smallPart,
    concurrency: 3,
    gzip: options.gzip,
  }
  const stored = new Set<number>()
  const sentAgain: number[] = []
  let seen = 0
  let kills = 0
  let runs = 0
  for (;;) {
    const child = startUpload(sources, job)
    runs++
    const isLast = kills === options.kills
    if (!isLast) {
      // A quarter of the kills comes before the upload has begun, at any moment.
      const isEarly = random() < 0.25
      if (isEarly) await delay(random() * 250)
      else {
        await child.hears('initiated', 'resumed')
        await delay(random() * 120)
      }
      child.kill()
    }
    const requests = dev.seen('UploadPart')
    const atKill = requests.filter(({ applied }) => applied)
    const { code } = await child.ended
    for (const { partNumber = 0 } of dev.seen('UploadPart').slice(seen)) {
      if (stored.has(partNumber)) sentAgain.push(partNumber)
    }
    seen = dev.seen('UploadPart').length
    for (const { partNumber = 0 } of atKill) stored.add(partNumber)
    if (code === 0) break
    if (isLast) throw new Error(`the last run ended with ${code}`)
    kills++
  }
  const object = await dev.object(job.key)
  t.same(dev.server.openUploads(), [], 'no upload is left')
  return {
    kills,
    runs,
    parts: stored.size,
    sentAgain,
    object: sha256(object),
    bytes,
    requests: seen,
  }
}

/** Mulberry32: numbers from 0, below 1, the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A seed from the environment (PAWL_SEED), or a new one. */
export function seedFor(): number {
  const given = process.env['PAWL_SEED']
  return given === undefined ? Date.now() & 0x7fffffff : Number(given)
}
