/** Logs in a bucket, and what tests do to their objects. */
import type { Checkpoint, ObjectStore } from '../../lib/index.js'
import { bucketCheckpoint } from '../../lib/lease/bucket.js'
import { decodeHeartbeat, encodeHeartbeat } from '../../lib/lease/segment.js'
import { bodyFrom, storeCall } from './store-call.js'

const call = storeCall()

export class BucketLogs {
  readonly #store: ObjectStore
  readonly #folders = new Map<Checkpoint, string>()

  constructor(store: ObjectStore) {
    this.#store = store
  }

  /** The log of an upload, as another run makes it. */
  log(
    key: string,
    options: Partial<Parameters<typeof bucketCheckpoint>[0]> = {},
  ): Checkpoint {
    const checkpoint = bucketCheckpoint({ store: this.#store, key, ...options })
    const [, folder = ''] = /the log (\S+) in/.exec(checkpoint.name) ?? []
    this.#folders.set(checkpoint, folder)
    return checkpoint
  }

  /** As if the lease of whoever holds it had run out. */
  async endLease(checkpoint: Checkpoint): Promise<void> {
    const key = `${this.#folders.get(checkpoint)}/hold`
    const heartbeat = decodeHeartbeat(await this.read(key))
    if (heartbeat === undefined) throw new Error('there is no heartbeat')
    await this.write(key, encodeHeartbeat({ ...heartbeat, isFree: true }))
  }

  async read(key: string): Promise<Uint8Array> {
    const found = await this.#store.getObject?.({ key, maxBytes: 1e6 }, call)
    return found?.bytes ?? new Uint8Array()
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    const body = bodyFrom(bytes)
    const put = { key, object: {}, size: bytes.length, body }
    await this.#store.putObject(put, call)
  }

  /** First lines of the segments that are there, by number. */
  async segments(checkpoint: Checkpoint, most = 40): Promise<string[]> {
    const folder = this.#folders.get(checkpoint)
    const found: string[] = []
    for (let number = 1; number <= most; number++) {
      const key = `${folder}/${String(number).padStart(9, '0')}`
      const [line = ''] = Buffer.from(await this.read(key))
        .toString('latin1')
        .split('\n')
      const [, , , , kind, end] = line.split(' ')
      if (kind === undefined) continue
      found.push([number, kind, end].filter((word) => word).join(' '))
    }
    return found
  }

  async remove(checkpoint: Checkpoint, number: number): Promise<void> {
    const folder = this.#folders.get(checkpoint)
    const key = `${folder}/${String(number).padStart(9, '0')}`
    await this.#store.deleteObject?.(key, call)
  }
}
