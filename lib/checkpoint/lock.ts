/**
 * The exclusive hold of an open file: refused at once to a second process and
 * to a second descriptor of this one, free the moment its holder dies.
 *
 * The native lock belongs to the open file itself. Where its binary cannot be
 * loaded, the name of a socket or pipe stands for the file; both go with their
 * process as well, but a socket's name is seen within one network namespace
 * only, so that containers that share a directory do not see each other's.
 */
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { UploadError } from '../errors.js'

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

/** For those who asked for no lock. */
export const noLocker: Locker = async () => ({ release: async () => {} })

/** Spelled out: users' compilers see no types of the package that has it. */
interface NativeLocks {
  tryLock: (fd: number, offset: number, length: number) => boolean
}

/** The best locker that this platform has; `load` is for tests. */
export async function platformLocker(
  platform: NodeJS.Platform = process.platform,
  load: () => Promise<NativeLocks> = () => import('fs-native-extensions'),
): Promise<Locker> {
  let cause: unknown
  try {
    return nativeLocker(await load())
  } catch (error) {
    cause = error
  }
  if (platform === 'linux') return nameLocker('\0')
  if (platform === 'win32') return nameLocker('\\\\.\\pipe\\')
  throw unsupported(`on ${platform} without its native binary`, cause)
}

function nativeLocker(native: NativeLocks): Locker {
  return async ({ fd }) => {
    try {
      if (!native.tryLock(fd, LOCK_OFFSET, 1)) return undefined
    } catch (error) {
      throw unsupported('by this file system', error)
    }
    return { release: async () => {} }
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
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false)
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

function unsupported(where: string, cause: unknown): UploadError {
  return new UploadError(
    'PAWL_LOCK_UNSUPPORTED',
    `Checkpoint logs cannot be locked ${where}; pass ` +
      'fileCheckpoint(path, { lock: false }) if nothing else can use the log',
    { cause },
  )
}
