/**
 * A file as the source of an upload: bytes from anywhere in it, and the word of
 * the file system on whether it is still the file that was opened.
 *
 * It owns the descriptor until `close()`. Every read fills its whole target or
 * rejects: a file that ends early has changed.
 */
import type { BigIntStats } from 'node:fs'
import { invalidOption, UploadError } from '../../errors.js'
import { identityOf, isSameFile, type FileSight } from './file-identity.js'
import type { SourceFiles, SourceHandle } from './source-files.js'

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

  private constructor(
    path: string,
    sight: FileSight,
    handle: SourceHandle,
    { files, key }: { files: SourceFiles; key: string | undefined },
  ) {
    this.path = path
    this.sight = sight
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

  /** Fills `into` with the bytes from `position` on. */
  async read(into: Uint8Array, position: number): Promise<void> {
    const { byteLength } = into
    for (let filled = 0; filled < byteLength;) {
      const rest = byteLength - filled
      const { bytesRead } = await this.#handle
        .read(into, filled, rest, position + filled)
        .catch((error: unknown) => fail(this.path, 'read', error))
      if (bytesRead === 0) {
        const end = position + filled
        throw this.changed(`it ends at ${end}, expected ${this.size} bytes`)
      }
      filled += bytesRead
    }
  }

  /** Rejects with `PAWL_SOURCE_CHANGED` when the open file was written to. */
  async mustBeUnchanged(): Promise<void> {
    const stats = await this.#handle
      .stat({ bigint: true })
      .catch((error: unknown) => fail(this.path, 'looked at', error))
    if (isSameFile(identityOf(stats), this.sight.identity)) return
    throw this.changed(
      `it was written to: ${stats.size} bytes, expected ${this.size}, or other times`,
    )
  }

  /** The same, and the path must still lead to it. */
  async mustBeInPlace(): Promise<void> {
    await this.mustBeUnchanged()
    const stats = await this.#files.stat(this.path).catch(() => undefined)
    if (stats && isSameFile(identityOf(stats), this.sight.identity)) return
    throw this.changed('another file, or none, is there now')
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

function fail(path: string, what: string, cause: unknown): never {
  const why = cause instanceof Error ? cause.message : String(cause)
  throw new UploadError('PAWL_SOURCE_IO', `${path} cannot be ${what}: ${why}`, {
    cause,
  })
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
