/**
 * The log as a file.
 *
 * Closed, or open: then it holds the file's lock. A failed append is final:
 * every later one rejects with the same error, until the log is closed. What is
 * appended is durable when the promise resolves, the file's name included.
 *
 * Before each sync the file must still be the one that was opened: under its
 * path, with no second name, and as long as what was read and written. A file
 * that this object made and never wrote to goes again when it is closed; any
 * other is left exactly as it was found until the first append. That begins with
 * the mode: on volumes that let a group write, the log is made its owner's alone.
 *
 * The lock is held until every call of the system that was begun for the file has
 * settled, however long its disk hangs: a write, an emptying or an unlink that takes
 * effect after that would be done to the log of a later run.
 */
import { dirname, resolve } from 'node:path'
import { systemCode } from '../realm.js'
import { UploadError } from '../errors.js'
import { filePath, type FilePath } from '../file-path.js'
import { checkKnownOptions } from '../known-options.js'
import type { Checkpoint } from './checkpoint.js'
import { fileFailed, fileLocked, fileLost, fileUnsafe } from './file-errors.js'
import { nodeFileSystem } from './file-system.js'
import type { FileSystem } from './file-system.js'
import { noLocker, platformLocker } from './lock.js'
import type { Locker } from './lock.js'
import {
  asideNames,
  keepToOwner,
  lstatIfAny,
  openLogFile,
} from './open-log-file.js'
import type { OpenLogFile } from './open-log-file.js'
import { readWhole } from './read-whole.js'

/** How {@link fileCheckpoint} keeps its file. */
export interface FileCheckpointOptions {
  /** Default true. Without it nothing keeps two uploads from one log. */
  lock?: boolean
  /**
   * Trusts whoever may write where the log is: a log that another user owns, or that
   * its group or everybody may write, is taken as it is. For volumes that set
   * owners and modes. Default false: one of our own is made 0600, and any other
   * is `PAWL_CHECKPOINT_UNSAFE`.
   */
  trusted?: boolean
}

/**
 * A log in a file; the same path is given to each run. Made when missing, mode
 * 0600, and removed when the object is complete.
 *
 * Throws `PAWL_INVALID_OPTION`. Opening rejects with `PAWL_CHECKPOINT_LOCKED`,
 * `_UNSAFE` or `_IO`, or with `PAWL_LOCK_UNSUPPORTED`; appending with
 * `PAWL_CHECKPOINT_LOST` or `_IO`.
 */
export function fileCheckpoint(
  path: FilePath,
  options: FileCheckpointOptions = {},
): Checkpoint {
  checkKnownOptions(options, {
    of: 'fileCheckpoint',
    names: ['lock', 'trusted'],
  })
  const { lock = true, trusted = false } = options
  return new FileCheckpoint(
    filePath(path, 'fileCheckpoint(path): the path of a file is required'),
    async () => (lock ? platformLocker() : noLocker),
    nodeFileSystem,
    { isTrusted: trusted },
  )
}

/** A file whose lock is held, and what has been begun with it. */
interface HeldFile extends OpenLogFile {
  /** Settles, never rejects, when nothing of it is under way any more. */
  settled: Promise<unknown>
  /** It is being let go of; settles when its lock is free. */
  leaving?: Promise<void>
}

export class FileCheckpoint implements Checkpoint {
  readonly name: string
  readonly #path: string
  readonly #fs: FileSystem
  readonly #locker: () => Promise<Locker>
  readonly #isTrusted: boolean
  #file: HeldFile | undefined
  /** The one that was closed last. */
  #closed: HeldFile | undefined
  /** The length that the file must have, in bytes. */
  #size = 0
  #isNameDurable = false
  /** Owner and mode were put right, which happens before the first write. */
  #isKept = false
  #failure: UploadError | undefined

  constructor(
    path: string,
    locker: () => Promise<Locker>,
    fs: FileSystem = nodeFileSystem,
    { isTrusted = false } = {},
  ) {
    this.name = path
    this.#path = resolve(path)
    this.#locker = locker
    this.#fs = fs
    this.#isTrusted = isTrusted
  }

  async open(): Promise<Uint8Array> {
    const locker = await this.#locker().catch((error: unknown) => {
      throw fileFailed(this.name, 'locked', error)
    })
    if (this.#file !== undefined) {
      throw fileLocked(this.name, 'is held by another upload')
    }
    const file = await this.#openFile(locker)
    if (this.#file !== undefined) {
      await letGo(file)
      throw fileLocked(this.name, 'is held by another upload')
    }
    this.#hold(file)
    try {
      const bytes = await begun(file, readWhole(file.handle, this.name))
      this.#size = bytes.length
      return bytes
    } catch (error) {
      await this.close()
      throw fileFailed(this.name, 'read', error)
    }
  }

  async append(bytes: Uint8Array): Promise<void> {
    const file = this.#opened()
    if (this.#failure !== undefined) throw this.#failure
    try {
      await begun(file, this.#append(file, bytes))
    } catch (error) {
      const failure = fileFailed(this.name, 'written', error)
      // Whoever closed the log may have opened it again meanwhile.
      if (this.#file !== file) throw failure
      this.#failure ??= failure
      throw this.#failure
    }
  }

  async #append(file: HeldFile, bytes: Uint8Array): Promise<void> {
    if (!this.#isKept && !this.#isTrusted) {
      await keepToOwner(file.handle, this.name)
    }
    this.#mustHold(file)
    this.#isKept = true
    const written = await file.handle.write(bytes)
    if (written !== bytes.length) {
      throw new Error(
        `only ${written} of ${bytes.length} bytes were written; the disk may be full`,
      )
    }
    this.#mustHold(file)
    this.#size += written
    await this.#mustBeOurs(file)
    await file.handle.datasync()
    if (!this.#isNameDurable) {
      await this.#fs.syncDirectory(dirname(this.#path))
      if (this.#file === file) this.#isNameDurable = true
    }
  }

  async setAside(): Promise<string> {
    const file = this.#opened()
    try {
      const { name, next } = await begun(file, this.#replace(file))
      const isClosed = this.#file !== file
      if (isClosed) {
        await this.#leave(next)
        throw new Error('it was closed meanwhile')
      }
      this.#hold(next)
      await letGo(file)
      if (next.isNew) return name
    } catch (error) {
      throw fileFailed(this.name, 'set aside', error)
    }
    await this.close()
    throw fileLocked(this.name, 'is used by another upload')
  }

  async #replace(file: HeldFile): Promise<{ name: string; next: HeldFile }> {
    await this.#mustBeOurs(file)
    const name = await this.#linkAside()
    const locker = await this.#locker()
    return { name, next: await this.#openFile(locker) }
  }

  async empty(): Promise<void> {
    const file = this.#opened()
    try {
      await begun(file, this.#empty(file))
      this.#size = 0
    } catch (error) {
      throw fileFailed(this.name, 'emptied', error)
    }
  }

  async #empty(file: HeldFile): Promise<void> {
    await this.#mustBeOurs(file)
    this.#mustHold(file)
    await file.handle.empty()
  }

  async remove(): Promise<boolean> {
    const file = this.#opened()
    if (!(await begun(file, this.#unlinkOurs(file)))) return false
    if (this.#file === file) this.#file = undefined
    await letGo(file)
    return true
  }

  async close(): Promise<void> {
    const file = this.#file
    if (file === undefined) {
      await this.#closed?.leaving
      return
    }
    this.#file = undefined
    this.#closed = file
    await this.#leave(file)
  }

  /** Lets go of a file, and takes it away when nothing was written to it. */
  #leave(file: HeldFile): Promise<void> {
    const leave = async (): Promise<void> => {
      await file.settled
      if (file.isNew && (await isEmpty(file))) await this.#unlinkOurs(file)
      await letGo(file)
    }
    file.leaving ??= leave()
    return file.leaving
  }

  async #openFile(locker: Locker): Promise<HeldFile> {
    const [fs, isTrusted] = [this.#fs, this.#isTrusted]
    const means = { fs, locker, isTrusted }
    const file = await openLogFile(this.#path, this.name, means)
    return { ...file, settled: Promise.resolve() }
  }

  #opened(): HeldFile {
    if (this.#file !== undefined) return this.#file
    throw new UploadError('PAWL_INVALID_STATE', `${this.name} is not open`)
  }

  /** Whoever has closed the log asks for nothing more to be done to it. */
  #mustHold(file: HeldFile): void {
    if (this.#file !== file) throw new Error('it was closed meanwhile')
  }

  #hold(file: HeldFile): void {
    this.#file = file
    this.#size = 0
    this.#isNameDurable = false
    this.#isKept = file.isNew
    this.#failure = undefined
  }

  /** Throws unless all that was written is in the file that the path names. */
  async #mustBeOurs({ handle, device, inode }: OpenLogFile): Promise<void> {
    const [open, named] = await Promise.all([
      handle.stat(),
      lstatIfAny(this.#fs, this.#path),
    ])
    if (named === undefined) {
      throw fileLost(this.name, 'was deleted', false)
    }
    if (named.dev !== device || named.ino !== inode) {
      throw fileLost(this.name, 'was replaced by another file')
    }
    if (open.nlink !== 1n) {
      throw fileUnsafe(this.name, `has got ${open.nlink} names (hard links)`)
    }
    const size = BigInt(this.#size)
    if (open.size < size) throw fileLost(this.name, 'was cut')
    if (open.size > size) {
      throw fileLocked(this.name, 'is written by somebody else')
    }
  }

  /** Gives the file another name, never one that is taken, instead of its own. */
  async #linkAside(): Promise<string> {
    for (const aside of asideNames(this.#path)) {
      try {
        await this.#fs.link(this.#path, aside)
      } catch (error) {
        if (systemCode(error) === 'EEXIST') continue
        throw error
      }
      try {
        await this.#fs.unlink(this.#path)
      } catch (error) {
        // Two names would make the log unsafe for every later run.
        await this.#fs.unlink(aside)
        throw error
      }
      await this.#fs.syncDirectory(dirname(this.#path))
      return this.name + aside.slice(this.#path.length)
    }
    throw new Error('there are too many damaged logs beside it already')
  }

  /** Whether the path names this file no longer. */
  async #unlinkOurs({ device, inode }: OpenLogFile): Promise<boolean> {
    try {
      const named = await lstatIfAny(this.#fs, this.#path)
      if (named === undefined) return true
      if (named.dev !== device || named.ino !== inode) return false
      await this.#fs.unlink(this.#path)
    } catch {
      return false
    }
    // A name that comes back after a power loss names a log that says `done`.
    await this.#fs.syncDirectory(dirname(this.#path)).catch(() => {})
    return true
  }
}

async function isEmpty({ handle }: OpenLogFile): Promise<boolean> {
  try {
    return (await handle.stat()).size === 0n
  } catch {
    return false
  }
}

/** Work with a file whose lock is not given back before it has settled. */
function begun<T>(file: HeldFile, work: Promise<T>): Promise<T> {
  // Nothing of what it came to is kept: a log has thousands of appends.
  file.settled = Promise.allSettled([file.settled, work]).then(() => {})
  return work
}

async function letGo({ handle, lock, settled }: HeldFile): Promise<void> {
  await settled
  await lock.release()
  await handle.close()
}
