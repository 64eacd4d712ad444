/** A dev server with a store that talks to it, and a directory; gone with the test. */
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import type {
  DevServer,
  DevServerOptions,
  Operation,
  SeenRequest,
} from '../../lib/dev-server/index.js'
import { ossStore } from '../../lib/index.js'
import type { ObjectStore, OssStoreOptions } from '../../lib/index.js'

export const bucket = 'examplebucket'
export const keys = { accessKeyId: 'dev', accessKeySecret: 'dev-secret' }
/** The smallest part that OSS takes. */
export const smallPart = 100 * 1024

export interface DevStore {
  server: DevServer
  store: ObjectStore
  /** For logs and sources. */
  directory: string
  /** The bytes of a finished object. */
  object(key: string): Promise<Buffer>
  /** Requests of one operation, in order. */
  seen(operation: Operation): SeenRequest[]
  /** A second store for the same bucket. */
  another(options?: Partial<OssStoreOptions>): ObjectStore
}

export async function devStore(
  t: Test,
  options: DevServerOptions = {},
): Promise<DevStore> {
  const server = await startDevServer(options)
  const directory = await temporaryDirectory(t)
  t.teardown(() => server.close())
  const another = (more: Partial<OssStoreOptions> = {}): ObjectStore => {
    const store = ossStore({
      endpoint: server.endpoint,
      region: 'cn-hangzhou',
      bucket,
      credentials: keys,
      ...more,
    })
    t.teardown(() => store.close())
    return store
  }
  return {
    server,
    store: another(),
    directory,
    another,
    async object(key) {
      const path = server.objectPath(bucket, key)
      if (path === undefined) throw new Error(`there is no object ${key}`)
      return readFile(path)
    },
    seen: (operation) =>
      server.requests.filter((request) => request.operation === operation),
  }
}

export async function temporaryDirectory(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pawl-test-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Bytes that look random and are the same for the same seed. */
export function noise(size: number, seed = 1): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4))
  let state = seed >>> 0 || 1
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return Buffer.from(words.buffer, 0, size)
}
