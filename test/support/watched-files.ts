/**
 * The file system as `uploadFile` sees it, with every read counted, and with
 * files as old as a test needs them to be: nobody can set a ctime.
 */
import { open, stat } from 'node:fs/promises'
import type { BigIntStats } from 'node:fs'
import type {
  SourceFiles,
  SourceHandle,
} from '../../lib/upload/source/source-files.js'

export interface WatchedFilesOptions {
  /** How much older than they are files look, ms. Default a minute. */
  age?: number
  /** Called before each read; what it throws is the read's failure. */
  onRead?: (position: number, length: number) => unknown
  /** Called with what was read; may change it. */
  onBytes?: (bytes: Uint8Array, position: number) => void
  /** Bytes that one read gives at most. */
  mostBytes?: number
}

export class WatchedFiles implements SourceFiles {
  /** Where reads began and how long they were. */
  readonly reads: { position: number; length: number }[] = []
  readonly #options: WatchedFilesOptions
  /** Descriptors not closed yet. */
  openHandles = 0

  constructor(options: WatchedFilesOptions = {}) {
    this.#options = options
  }

  get bytesRead(): number {
    return this.reads.reduce((sum, { length }) => sum + length, 0)
  }

  async stat(path: string): Promise<BigIntStats> {
    return this.#aged(await stat(path, { bigint: true }))
  }

  async open(path: string): Promise<SourceHandle> {
    const handle = await open(path)
    const {
      onRead,
      onBytes,
      mostBytes = Number.MAX_SAFE_INTEGER,
    } = this.#options
    this.openHandles++
    return {
      read: async (into, offset, length, position) => {
        await onRead?.(position, length)
        const most = Math.min(length, mostBytes)
        const { bytesRead } = await handle.read(into, offset, most, position)
        // A look behind the end gives nothing.
        if (bytesRead > 0) this.reads.push({ position, length: bytesRead })
        onBytes?.(into.subarray(offset, offset + bytesRead), position)
        return { bytesRead }
      },
      stat: async () => this.#aged(await handle.stat({ bigint: true })),
      close: async () => {
        this.openHandles--
        await handle.close()
      },
    }
  }

  #aged(stats: BigIntStats): BigIntStats {
    const { age = 60_000 } = this.#options
    stats.mtimeNs -= BigInt(age) * 1_000_000n
    stats.ctimeNs -= BigInt(age) * 1_000_000n
    return stats
  }
}
