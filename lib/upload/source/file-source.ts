/**
 * A file as the source of an upload: bytes from anywhere in it, which file it is,
 * and the word of the file system on whether it is still the one that was opened.
 *
 * It owns the descriptor until `close()`. Every read fills its whole target or
 * rejects: a file that ends early has changed.
 */
import type { BigIntStats } from 'node:fs'
import type { FileIdentity } from '../../checkpoint/record.js'
import { messageOf } from '../../realm.js'
import { invalidOption, UploadError } from '../../errors.js'
import type { Digests } from '../../hash/digest.js'
import { hasMd5, md5Hex } from '../../hash/md5.js'
import {
  type ContentDigest,
  createHash,
  type HashedPart,
} from './part-content.js'
import type { SourceFiles, SourceHandle } from './source-files.js'

/** Bytes of a file that is read whole at once. */
const mostAtHand = 256 * 1024

/** Bytes read at once when a file is read again. */
const blockSize = 1024 * 1024

export type { FileIdentity }

/** A file as it was looked at. */
export interface FileSight {
  identity: FileIdentity
  /** ms since 1970, when it was looked at. */
  time: number
}

export interface FileSourceOptions {
  files: SourceFiles
  /** ms since 1970 */
  now: () => number
  /** The object's key, for errors. */
  key?: string | undefined
}

export class FileSource {
  readonly path: string
  /** How it was when it was opened. */
  readonly sight: FileSight
  readonly #handle: SourceHandle
  readonly #files: SourceFiles
  readonly #key: string | undefined
  /** How it was when it was last looked at. */
  #last: FileIdentity
  /** All of it is in memory. */
  #isRead = false

  private constructor(
    path: string,
    sight: FileSight,
    handle: SourceHandle,
    { files, key }: { files: SourceFiles; key: string | undefined },
  ) {
    this.path = path
    this.sight = sight
    this.#last = sight.identity
    this.#handle = handle
    this.#files = files
    this.#key = key
  }

  /**
   * Rejects with `PAWL_SOURCE_IO`, or with `PAWL_INVALID_OPTION` for anything
   * but a regular file.
   */
  static async open(
    path: string,
    { files, now, key }: FileSourceOptions,
  ): Promise<FileSource> {
    const handle = await files
      .open(path)
      .catch((error: unknown) => fail(path, 'opened', error))
    try {
      const stats = await handle.stat({ bigint: true })
      if (!stats.isFile()) mustBeRegular(path, stats)
      const sight = { identity: identityOf(stats), time: now() }
      return new FileSource(path, sight, handle, { files, key })
    } catch (error) {
      await handle.close()
      if (error instanceof UploadError) throw error
      return fail(path, 'looked at', error)
    }
  }

  /** Bytes, when it was opened. */
  get size(): number {
    return this.sight.identity.size
  }

  /** It can be read whole, into memory that nobody counts. */
  get isSmall(): boolean {
    return this.size <= mostAtHand
  }

  /** Fills `into` with the bytes from `position` on. */
  async read(into: Uint8Array, position: number): Promise<void> {
    const filled = await this.#fill(into, position)
    if (filled < into.byteLength) await this.#mustNotEndAt(position + filled)
  }

  /** All the bytes, in memory of their own, and a look at what is behind them. */
  async readWhole(): Promise<Uint8Array> {
    const { size } = this
    // Not cleared before it is filled.
    const room = new Uint8Array(Buffer.allocUnsafeSlow(size + 1).buffer)
    // Of a file that is said to be empty the end has to be seen as well.
    const filled = await this.#fill(room, 0, Math.max(1, size))
    if (filled < size) await this.#mustNotEndAt(filled)
    if (filled > size) await this.#mustNotGoOn()
    this.#isRead = true
    return room.subarray(0, size)
  }

  /** How many bytes there were; fewer than are enough only at the end. */
  async #fill(
    into: Uint8Array,
    position: number,
    enough = into.byteLength,
  ): Promise<number> {
    const { byteLength } = into
    let filled = 0
    while (filled < enough) {
      const rest = byteLength - filled
      const { bytesRead } = await this.#handle
        .read(into, filled, rest, position + filled)
        .catch((error: unknown) => fail(this.path, 'read', error))
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return filled
  }

  /** Always rejects: it was cut meanwhile, or was never as long as it is said to be. */
  async #mustNotEndAt(end: number): Promise<never> {
    const stats = await this.#handle
      .stat({ bigint: true })
      .catch((error: unknown) => fail(this.path, 'looked at', error))
    if (isSameFile(identityOf(stats), this.sight.identity)) {
      mustBeSized(this.path, this.size, 'has fewer than')
    }
    throw this.changed(`it ends at ${end}, expected ${this.size} bytes`)
  }

  /** Rejects with `PAWL_INVALID_OPTION` when there are more bytes than were told of. */
  async mustEnd(): Promise<void> {
    if (await this.#goesOn()) await this.#mustNotGoOn()
  }

  /** The file may just have been written to, which is another failure. */
  async #mustNotGoOn(): Promise<void> {
    await this.mustBeUnchanged()
    mustBeSized(this.path, this.size, 'has more than')
  }

  /** Rejects with `PAWL_SOURCE_CHANGED` when the open file is another, or longer. */
  async mustBeUnchanged(): Promise<void> {
    const stats = await this.#handle
      .stat({ bigint: true })
      .catch((error: unknown) => fail(this.path, 'looked at', error))
    this.#see(stats)
  }

  /** As `mustBeUnchanged`; the path must still lead to it, and it end where it says. */
  async mustBeInPlace(): Promise<void> {
    // What it leads to is the open file, or another: one look tells both.
    const stats = await this.#files.stat(this.path).catch(() => undefined)
    if (stats === undefined) {
      throw this.changed('another file, or none, is there now')
    }
    this.#see(stats)
    // Read whole, its end was seen.
    if (!this.#isRead && (await this.#goesOn())) {
      throw this.changed(`it goes on behind its ${this.size} bytes`)
    }
  }

  /** Throws unless it is the same file and of the same size. */
  #see(stats: BigIntStats): void {
    const now = identityOf(stats)
    const { device, inode, size } = this.sight.identity
    if (now.size !== size) {
      throw this.changed(`it has ${now.size} bytes, expected ${size}`)
    }
    if (now.device !== device || now.inode !== inode) {
      throw this.changed('another file is there now')
    }
    this.#last = now
  }

  /**
   * Rejects unless the file is what was read of it. Where its times have moved it was
   * written to, or only its mode or names were changed: then `taken` is read again.
   */
  async mustBeAsTaken(
    taken: () => Promise<readonly HashedPart[]>,
    digests: Pick<Digests, 'create'>,
  ): Promise<void> {
    await this.mustBeInPlace()
    if (isSameFile(this.#last, this.sight.identity)) return
    await this.#prove(await taken(), digests)
  }

  async #prove(
    parts: readonly HashedPart[],
    digests: Pick<Digests, 'create'>,
  ): Promise<void> {
    const before = this.#last
    const buffer = new Uint8Array(Math.min(blockSize, this.size))
    for (const { offset, size, hash } of parts) {
      const kind = kindOfHash(hash)
      if (kind === undefined) throw this.#unproved(offset, size)
      const running = await createHash(kind, digests)
      for (let at = 0; at < size; at += buffer.length) {
        const block = buffer.subarray(0, Math.min(buffer.length, size - at))
        await this.read(block, offset + at)
        running.update(block)
      }
      const digest = running.digest()
      if ((kind === 'md5' ? md5Hex(digest) : digest) === hash) continue
      // An ETag may look like an MD5, and be none.
      if (kind === 'md5') throw this.#unproved(offset, size)
      throw this.changed(`its ${size} bytes from ${offset} on are others now`)
    }
    await this.mustBeUnchanged()
    // Nobody may have touched it while that went on.
    if (!isSameFile(this.#last, before)) {
      throw this.changed('it was touched again and again')
    }
  }

  #unproved(offset: number, size: number): UploadError {
    return this.changed(
      `its times are others now, and nothing shows that its ${size} bytes from ${offset} on are the same`,
    )
  }

  /** Whether there are bytes behind those that the file system tells of. */
  async #goesOn(): Promise<boolean> {
    const { bytesRead } = await this.#handle
      .read(new Uint8Array(1), 0, 1, this.size)
      .catch((error: unknown) => fail(this.path, 'read', error))
    return bytesRead > 0
  }

  /** `how` says what was found. */
  changed(how: string): UploadError {
    return new UploadError(
      'PAWL_SOURCE_CHANGED',
      `${this.path} changed while it was uploaded (${how}); nothing was completed; run the same call again to upload it as it is now`,
      { key: this.#key, transient: true },
    )
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

/**
 * ms that a time must be older than its recording: clocks of file systems are coarse,
 * and a second write in the same tick leaves the times as they are.
 */
const settling = 2000

export function identityOf(stats: BigIntStats): FileIdentity {
  return {
    device: stats.dev.toString(),
    inode: stats.ino.toString(),
    size: Number(stats.size),
    mtime: stats.mtimeNs.toString(),
    ctime: stats.ctimeNs.toString(),
  }
}

export function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return (
    a.device === b.device &&
    a.inode === b.inode &&
    a.size === b.size &&
    a.mtime === b.mtime &&
    a.ctime === b.ctime
  )
}

/** Whether a write after it was looked at would have changed the identity. */
export function isSettled({ identity, time }: FileSight): boolean {
  const latest = BigInt(time - settling) * 1_000_000n
  return BigInt(identity.mtime) <= latest && BigInt(identity.ctime) <= latest
}

function kindOfHash({ length }: string): ContentDigest | undefined {
  switch (length) {
    case 16:
      return 'xxh64'
    case 32:
      return hasMd5() ? 'md5' : undefined
    case 64:
      return 'sha256'
    default:
      return undefined
  }
}

function fail(path: string, what: string, cause: unknown): never {
  const why = messageOf(cause)
  throw new UploadError('PAWL_SOURCE_IO', `${path} cannot be ${what}: ${why}`, {
    cause,
  })
}

/** Of `/proc`, `/sys` and the like, whose sizes are not those of what is read. */
function mustBeSized(path: string, size: number, how: string): never {
  return invalidOption(
    `${path} ${how} the ${size} bytes that its file system tells of; upload it as a stream (on the command line: pawl put - URL < FILE)`,
  )
}

function mustBeRegular(path: string, stats: BigIntStats): never {
  const kind = stats.isDirectory()
    ? 'a directory'
    : stats.isFIFO()
      ? 'a FIFO'
      : stats.isCharacterDevice()
        ? 'a device'
        : 'not a regular file'
  return invalidOption(
    `${path} is ${kind}; uploadFile() takes regular files, anything else can be piped into createResumableUploadStream()`,
  )
}
