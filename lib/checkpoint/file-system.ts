/**
 * The system calls that a log file needs, so that a test can make one fail.
 * They reject with what the system said; texts for people are made above.
 */
import { constants, lstat } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { link, open, stat, unlink } from 'node:fs/promises'
import { promisify } from 'node:util'
import { systemCode } from '../realm.js'

/** An open log file. */
export interface LogHandle {
  readonly fd: number
  stat(): Promise<BigIntStats>
  /** Fills `into` from a position; resolves to the bytes read, 0 at the end. */
  read(into: Uint8Array, position: number): Promise<number>
  /** One write at the end of the file; resolves to the bytes written. */
  write(bytes: Uint8Array): Promise<number>
  /** Of this very file, whatever its path names by now. */
  chmod(mode: number): Promise<void>
  datasync(): Promise<void>
  /** Takes all bytes of the file away. */
  empty(): Promise<void>
  close(): Promise<void>
}

export interface FileSystem {
  /**
   * Opens for reading and appending, what is there or a file of its own; or for
   * reading only, then through a link too.
   */
  open(path: string, how: 'existing' | 'new' | 'reading'): Promise<LogHandle>
  /** Whether a path leads to a directory, perhaps by a link. */
  isDirectory(path: string): Promise<boolean>
  lstat(path: string): Promise<BigIntStats>
  link(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Makes names in a directory durable, where the system can. */
  syncDirectory(path: string): Promise<void>
}

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } =
  constants

// Windows has neither O_NOFOLLOW nor O_NONBLOCK; without the second, opening a
// fifo that was put there meanwhile would wait for its other end.
const existing = O_RDWR | O_APPEND | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0)
const flags = {
  existing,
  new: existing | O_CREAT | O_EXCL,
  reading: O_RDONLY | (O_NONBLOCK ?? 0),
}

// Most names that are looked for are not there: `fs/promises` makes twice as much
// of that.
const lookAt = promisify(lstat)

/** File systems that cannot sync a directory, or may not open it, say one of these. */
const cannotSync = new Set(['EINVAL', 'ENOTSUP', 'EACCES', 'EPERM', 'EISDIR'])

export const nodeFileSystem: FileSystem = {
  async open(path, how) {
    const handle = await open(path, flags[how], 0o600)
    return {
      fd: handle.fd,
      stat: () => handle.stat({ bigint: true }),
      async read(into, position) {
        const { bytesRead } = await handle.read(into, 0, into.length, position)
        return bytesRead
      },
      async write(bytes) {
        const { bytesWritten } = await handle.write(bytes)
        return bytesWritten
      },
      chmod: (mode) => handle.chmod(mode),
      datasync: () => handle.datasync(),
      empty: () => handle.truncate(0),
      close: () => handle.close(),
    }
  },
  isDirectory: async (path) => (await stat(path)).isDirectory(),
  lstat: (path) => lookAt(path, { bigint: true }),
  link,
  unlink,
  async syncDirectory(path) {
    if (process.platform === 'win32') return
    try {
      const handle = await open(path, constants.O_RDONLY)
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    } catch (error) {
      if (!cannotSync.has(systemCode(error))) throw error
    }
  },
}
