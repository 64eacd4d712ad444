/**
 * The exclusive hold of an open file: refused at once to a second process and
 * to a second descriptor of this one, free the moment its holder dies.
 *
 * The native lock belongs to the open file itself. Where its binary cannot be
 * loaded (musl, `--no-addons`, the permission model, a bundle), the name of a
 * socket or pipe stands for the file; both go with their process. Who has the
 * native lock takes the name as well, so that a process with the binary and one
 * without never hold a log beside each other. A socket's name is seen within one
 * network namespace only: two containers that share a directory see each other's
 * native locks, and no names.
 */
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { UploadError } from '../errors.js'
import { systemCode } from '../realm.js'
import {
  isShortage,
  loadNativeLocks,
  type NativeLocks,
} from './native-locks.js'

/** An open file, as a lock needs it. */
export interface Lockable {
  fd: number
  device: bigint
  inode: bigint
}

export interface HeldLock {
  /** Closing the descriptor lets go as well, of the native lock. */
  release(): Promise<void>
}

/** Takes the hold of a file at once; resolves to undefined when it is held. */
export type Locker = (file: Lockable) => Promise<HeldLock | undefined>

/** One byte, where no log ever reaches: locks are mandatory on Windows. */
const LOCK_OFFSET = 2 ** 40

/**
 * For a lock that ends with its descriptor, and for one that was never taken.
 */
const nothingToRelease: HeldLock = { release: async () => {} }

/** For those who asked for no lock. */
export const noLocker: Locker = async () => nothingToRelease

/** This process has no native lock, as long as it lives. */
interface NoLocks {
  cause: unknown
}

/**
 * Loads the binary when it is made, and remembers whether there is one. What
 * failed only then, for want of file descriptors or memory, is tried again, and
 * is no reason to lock in another way.
 */
export class NativeBinary {
  readonly #load: () => NativeLocks
  #found: NativeLocks | NoLocks | undefined

  constructor(load: () => NativeLocks = loadNativeLocks) {
    this.#load = load
    try {
      this.find()
    } catch {
      // A lock that could not be loaded is an error only for a log that needs
      // it.
    }
  }

  /** Throws what the system said, when it may say something else later. */
  find(): NativeLocks | NoLocks {
    this.#found ??= this.#tryLoad()
    return this.#found
  }

  #tryLoad(): NativeLocks | NoLocks {
    try {
      return this.#load()
    } catch (cause) {
      if (isShortage(cause)) throw cause
      return { cause }
    }
  }
}

/** With this module, so that no run has to open files for it. */
const ownBinary = new NativeBinary()

/** The best locker that this platform has; the binary is another in tests. */
export async function platformLocker(
  platform: NodeJS.Platform = process.platform,
  binary = ownBinary,
): Promise<Locker> {
  const space = nameSpaces[platform]
  const byName = space === undefined ? undefined : nameLocker(space)
  const native = binary.find()
  if ('tryLock' in native) return nativeLocker(native, byName)
  if (byName !== undefined) return byName
  throw unsupported(`on ${platform} without its native binary`, native.cause)
}

/** Where names of sockets and pipes go with the process that has them. */
const nameSpaces: Partial<Record<NodeJS.Platform, string>> = {
  linux: '\0',
  win32: '\\\\.\\pipe\\',
}

function nativeLocker(native: NativeLocks, byName: Locker | undefined): Locker {
  return async (file) => {
    try {
      if (!native.tryLock(file.fd, LOCK_OFFSET, 1)) return undefined
    } catch (error) {
      throw unsupported('by this file system', error)
    }
    try {
      // Closing the descriptor lets go of the native lock.
      return byName === undefined ? nothingToRelease : await byName(file)
    } catch (error) {
      // Where this process can have no name, none beside it can hold one.
      if (isUnsupported(error)) return nothingToRelease
      throw error
    }
  }
}

function nameLocker(space: string): Locker {
  return async ({ device, inode }) => {
    const server = createServer((socket) => socket.destroy())
    const isOurs = await listen(server, `${space}pawl-${device}-${inode}`)
    if (!isOurs) return undefined
    server.unref()
    return { release: () => close(server) }
  }
}

function listen(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (systemCode(error) === 'EADDRINUSE') resolve(false)
      else if (isShortage(error)) reject(error)
      else reject(unsupported('by a name either', error))
    })
    // Without `exclusive` the workers of a cluster would share the name.
    server.listen({ path, exclusive: true }, () => resolve(true))
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}

function isUnsupported(error: unknown): boolean {
  return systemCode(error) === 'PAWL_LOCK_UNSUPPORTED'
}

function unsupported(where: string, cause: unknown): UploadError {
  return new UploadError(
    'PAWL_LOCK_UNSUPPORTED',
    `Checkpoint logs cannot be locked ${where}; pass ` +
      'fileCheckpoint(path, { lock: false }) if nothing else can use the log',
    { cause },
  )
}
