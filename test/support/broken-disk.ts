/**
 * A disk that loses power at one moment: what was not synced is gone, names that
 * were not synced are as they were, and nothing more is done.
 */
import {
  existsSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { nodeFileSystem } from '../../lib/checkpoint/file-system.js'
import type { FileSystem, LogHandle } from '../../lib/checkpoint/file-system.js'

export class BrokenDisk implements FileSystem {
  readonly #path: string
  readonly #handles = new Set<LogHandle>()
  #isOff = false
  /** Bytes of the file that are on the disk. */
  #synced: number
  /** Its name is on the disk. */
  #isNamed: boolean
  /** Was unlinked, and the name is still on the disk. */
  #unlinked: Buffer | undefined

  /** `path` is the only file that it is used for. */
  constructor(path: string) {
    this.#path = path
    this.#isNamed = existsSync(path)
    this.#synced = this.#isNamed ? readFileSync(path).length : 0
  }

  /** From now on nothing is done; what is on the disk is put there. */
  async powerOff(): Promise<void> {
    this.#isOff = true
    // Who holds the lock is gone with the power.
    for (const handle of this.#handles) await handle.close()
    this.#handles.clear()
    if (this.#unlinked !== undefined) {
      writeFileSync(this.#path, this.#unlinked.subarray(0, this.#synced), {
        mode: 0o600,
      })
    } else if (existsSync(this.#path)) {
      if (this.#isNamed) truncateSync(this.#path, this.#synced)
      else rmSync(this.#path)
    }
  }

  async open(path: string, how: 'existing' | 'new'): Promise<LogHandle> {
    this.#mustBeOn()
    const handle = await nodeFileSystem.open(path, how)
    this.#handles.add(handle)
    const pass = async <T>(run: () => Promise<T>): Promise<T> => {
      this.#mustBeOn()
      return run()
    }
    return {
      fd: handle.fd,
      stat: () => pass(() => handle.stat()),
      read: (into, position) => pass(() => handle.read(into, position)),
      write: (bytes) => pass(() => handle.write(bytes)),
      chmod: (mode) => handle.chmod(mode),
      datasync: () =>
        pass(async () => {
          const { size } = await handle.stat()
          await handle.datasync()
          this.#synced = Number(size)
        }),
      empty: () => pass(() => handle.empty()),
      close: async () => {
        if (this.#handles.delete(handle)) await handle.close()
      },
    }
  }

  async isDirectory(path: string): Promise<boolean> {
    this.#mustBeOn()
    return nodeFileSystem.isDirectory(path)
  }

  async lstat(path: string): ReturnType<FileSystem['lstat']> {
    this.#mustBeOn()
    return nodeFileSystem.lstat(path)
  }

  async link(from: string, to: string): Promise<void> {
    this.#mustBeOn()
    await nodeFileSystem.link(from, to)
  }

  async unlink(path: string): Promise<void> {
    this.#mustBeOn()
    const bytes = readFileSync(path)
    await nodeFileSystem.unlink(path)
    if (this.#isNamed) this.#unlinked = bytes
  }

  async syncDirectory(path: string): Promise<void> {
    this.#mustBeOn()
    await nodeFileSystem.syncDirectory(path)
    this.#unlinked = undefined
    this.#isNamed = existsSync(this.#path)
  }

  #mustBeOn(): void {
    if (this.#isOff) throw new Error('there is no power')
  }
}
