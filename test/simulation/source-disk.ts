/** Files to be uploaded: revisions of bytes under a path, and their times. */
import type { BigIntStats } from 'node:fs'
import type {
  SourceFiles,
  SourceHandle,
} from '../../lib/upload/source/source-files.js'
import type { Process } from './process.js'
import { epoch, type World } from './world.js'

interface SourceFile {
  device: bigint
  inode: bigint
  bytes: Uint8Array
  /** Virtual ms. */
  modified: number
  changed: number
}

export class SourceDisk {
  readonly #world: World
  readonly #files = new Map<string, SourceFile>()
  readonly #device: bigint
  #lastInode = 1000n

  /** `device`: another one on each machine. */
  constructor(world: World, device = 9n) {
    this.#world = world
    this.#device = device
  }

  /** A new file takes the place of what was there. */
  replace(path: string, bytes: Uint8Array, modified = this.#world.now): void {
    this.#files.set(path, {
      device: this.#device,
      inode: this.#lastInode++,
      bytes,
      modified,
      changed: modified,
    })
  }

  /** The same file gets other bytes. */
  write(path: string, bytes: Uint8Array): void {
    const file = this.#files.get(path)
    if (file === undefined) return
    file.bytes = bytes
    file.modified = this.#world.now
    file.changed = this.#world.now
  }

  /** chmod, or another link: the bytes stay as they are. */
  touch(path: string): void {
    const file = this.#files.get(path)
    if (file !== undefined) file.changed = this.#world.now
  }

  filesFor(process: Process): SourceFiles {
    const find = (path: string): SourceFile => {
      const file = this.#files.get(path)
      if (file === undefined) throw new Error(`ENOENT: ${path}`)
      return file
    }
    return {
      open: async (path) => this.#open(process, find(path)),
      stat: async (path) => statsOf(find(path)),
    }
  }

  #open(process: Process, file: SourceFile): SourceHandle {
    return {
      read: (into, offset, length, position) =>
        new Promise((resolve) => {
          this.#world.soon(process, () => {
            const bytes = file.bytes.subarray(position, position + length)
            into.set(bytes, offset)
            resolve({ bytesRead: bytes.length })
          })
        }),
      stat: async () => statsOf(file),
      close: async () => undefined,
    }
  }
}

function statsOf(file: SourceFile): BigIntStats {
  const { device, inode, bytes, modified, changed } = file
  const stats: Partial<BigIntStats> = {
    dev: device,
    ino: inode,
    size: BigInt(bytes.length),
    mtimeNs: BigInt(epoch + modified) * 1_000_000n,
    ctimeNs: BigInt(epoch + changed) * 1_000_000n,
    isFile: () => true,
    isDirectory: () => false,
    isFIFO: () => false,
    isCharacterDevice: () => false,
  }
  return stats as BigIntStats
}
