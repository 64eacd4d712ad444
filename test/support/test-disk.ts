/**
 * The real file system with a fault: one kind of call fails, once or always, or
 * writes less than it was given. Remembers the calls and what was synced.
 */
import { lstatSync, rmSync, truncateSync } from 'node:fs'
import { nodeFileSystem } from '../../lib/checkpoint/file-system.js'
import type { FileSystem, LogHandle } from '../../lib/checkpoint/file-system.js'

export type DiskCall =
  | keyof FileSystem
  | 'stat'
  | 'read'
  | 'write'
  | 'chmod'
  | 'datasync'
  | 'empty'
  | 'close'

export class TestDisk implements FileSystem {
  readonly calls: DiskCall[] = []
  /** Runs before a call of its kind; throwing makes the call fail. */
  readonly before = new Map<DiskCall, () => void>()
  /** The most bytes that a write takes. */
  writeLimit = Infinity
  #synced = new Map<string, number>()
  #named = new Set<string>()

  /** From now on a kind of call fails so. */
  fail(call: DiskCall, code: string): void {
    this.before.set(call, () => {
      throw Object.assign(new Error(`${code}: ${call} failed`), { code })
    })
  }

  /** What a power loss leaves of a file: what was synced, or not even a name. */
  dropUnsynced(path: string): void {
    if (this.#named.has(path)) truncateSync(path, this.#synced.get(path) ?? 0)
    else rmSync(path)
  }

  async open(path: string, how: 'existing' | 'new'): Promise<LogHandle> {
    this.#call('open')
    const handle = await nodeFileSystem.open(path, how)
    if (how === 'existing') this.#named.add(path)
    const size = async () => Number((await handle.stat()).size)
    this.#synced.set(path, await size())
    return {
      fd: handle.fd,
      stat: () => this.#pass('stat', () => handle.stat()),
      read: (into, position) =>
        this.#pass('read', () => handle.read(into, position)),
      write: (bytes) =>
        this.#pass('write', () =>
          handle.write(bytes.subarray(0, this.writeLimit)),
        ),
      chmod: (mode) => this.#pass('chmod', () => handle.chmod(mode)),
      datasync: () =>
        this.#pass('datasync', async () => {
          await handle.datasync()
          this.#synced.set(path, await size())
        }),
      empty: () => this.#pass('empty', () => handle.empty()),
      close: () => this.#pass('close', () => handle.close()),
    }
  }

  isDirectory(path: string): Promise<boolean> {
    return this.#pass('isDirectory', () => nodeFileSystem.isDirectory(path))
  }

  lstat(path: string): ReturnType<FileSystem['lstat']> {
    return this.#pass('lstat', () => nodeFileSystem.lstat(path))
  }

  link(from: string, to: string): Promise<void> {
    return this.#pass('link', () => nodeFileSystem.link(from, to))
  }

  unlink(path: string): Promise<void> {
    return this.#pass('unlink', () => nodeFileSystem.unlink(path))
  }

  syncDirectory(path: string): Promise<void> {
    return this.#pass('syncDirectory', async () => {
      await nodeFileSystem.syncDirectory(path)
      for (const file of this.#synced.keys()) {
        if (file.startsWith(path)) this.#named.add(file)
      }
    })
  }

  async #pass<T>(call: DiskCall, run: () => Promise<T>): Promise<T> {
    this.#call(call)
    return run()
  }

  #call(call: DiskCall): void {
    this.calls.push(call)
    this.before.get(call)?.()
  }
}

/** All that must stay as it is of a file that is not ours. */
export function fingerprint(path: string): unknown {
  const { ino, mode, nlink, size, mtimeNs, ctimeNs, uid } = lstatSync(path, {
    bigint: true,
  })
  return { ino, mode, nlink, size, mtimeNs, ctimeNs, uid }
}
