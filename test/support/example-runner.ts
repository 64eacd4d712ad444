/**
 * The examples of `docs/examples` import `pawl` by its name, as its users do.
 * Importing this gives that name to the sources; what comes after it by a dynamic
 * import finds them.
 */
import { existsSync } from 'node:fs'
import { register } from 'node:module'
import { join } from 'node:path'
import type { Test } from 'tap'
import type {
  DevServerOptions,
  Operation,
  SeenRequest,
} from '../../lib/dev-server/index.js'
import { readCheckpoint, type UploadStreamOptions } from '../../lib/index.js'
import { devStore, smallPart, type DevStore } from './dev-store.js'

register('./pawl-name.js', import.meta.url)

export interface ExampleRunner extends DevStore {
  /** Where `options` has its log. */
  log: string
  /** Options of an upload in small parts, whose log is in `directory`. */
  options(more?: Partial<UploadStreamOptions>): UploadStreamOptions
  /** Numbers of the parts that were sent, from a request on. */
  sentSince(index: number): number[]
  /** How many whole parts from part 1 the log knows to be stored. */
  storedParts(): Promise<number>
  /** Resolves when that log, or another, knows of so many. */
  logHas(count: number, other?: LogOfParts): Promise<void>
}

export const key = 'backups/example'
/** Bytes. */
export const part = smallPart

export async function exampleRunner(
  t: Test,
  serverOptions: DevServerOptions = {},
): Promise<ExampleRunner> {
  const dev = await devStore(t, serverOptions)
  const log = join(dev.directory, 'example.pawl')
  const own = { log, partSize: part }
  return {
    ...dev,
    log,
    storedParts: () => storedParts(own),
    async logHas(count, other = own) {
      while ((await storedParts(other)) < count) {
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
      }
    },
    options: (more) => ({
      store: dev.store,
      key,
      checkpoint: log,
      partSize: part,
      concurrency: 2,
      retry: { attempts: 5, baseDelay: 1, maxDelay: 2 },
      ...more,
    }),
    sentSince: (index) =>
      dev.server.requests
        .slice(index)
        .filter(({ operation }) => operation === 'UploadPart')
        .map(({ partNumber = 0 }) => partNumber)
        .toSorted((a, b) => a - b),
  }
}

interface LogOfParts {
  log: string
  partSize: number
}

async function storedParts({ log, partSize }: LogOfParts): Promise<number> {
  if (!existsSync(log)) return 0
  const { bytesContiguous } = await readCheckpoint(log)
  return Math.floor(bytesContiguous / partSize)
}

/** Calls `then` when a request after so many of an operation arrives. */
export function onRequest(
  operation: Operation,
  after: number,
  then: () => void,
) {
  let count = 0
  return (request: SeenRequest) => {
    if (request.operation === operation && ++count > after) then()
    return undefined
  }
}

/** From the first to the last. */
export function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
