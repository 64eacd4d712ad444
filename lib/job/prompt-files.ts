/**
 * The small files of a job, read on this thread for as long as that is prompt. Of
 * a file that is in the machine's memory a call takes a tenth of what it takes to
 * have the thread pool make it, and a job of small files is little else.
 *
 * Calls of a disk that seeks, or of a file system elsewhere, would keep everything
 * else waiting. So what they are late by is kept account of, and the thread pool
 * makes them while it is more than a share of the time.
 */
import {
  closeSync,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  statSync,
} from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { uploadFileOn } from '../upload/file.js'
import { realUploadEnvironment } from '../upload/options/environment.js'
import type { UploadFileOptions } from '../upload/options/options.js'
import {
  handleOf,
  nodeSourceFiles,
  reading,
  type SourceFiles,
  type SourceHandle,
} from '../upload/source/source-files.js'
import type { UploadResult } from '../upload-result.js'
import { pooledLooks, type Looks } from './walk.js'

/** ms that a call takes of what is in memory, at most. */
const usual = 0.1

/** ms that calls may be late by; a busy machine makes one late, and not the next. */
const patience = 100

/** Of the time that passes: what is made good of it. */
const share = 0.1

/** Bytes of a read that is one of many. */
const mostRead = 512 * 1024

export class PromptFiles implements SourceFiles, Looks {
  readonly #monotonic: () => number
  readonly #environment = { ...realUploadEnvironment, sourceFiles: this }
  /** ms by which calls were late, less what was made good since. */
  #late = 0
  /** When that was last worked out. */
  #seenAt: number

  /** `monotonic`: ms from a start of its own. */
  constructor(monotonic = () => performance.now()) {
    this.#monotonic = monotonic
    this.#seenAt = monotonic()
  }

  /** As `uploadFile` does. */
  upload(path: string, options: UploadFileOptions): Promise<UploadResult> {
    return uploadFileOn(path, options, this.#environment)
  }

  /** Whether calls are made on this thread. */
  get arePrompt(): boolean {
    const now = this.#monotonic()
    this.#late = Math.max(0, this.#late - share * (now - this.#seenAt))
    this.#seenAt = now
    return this.#late < patience
  }

  /** Makes a call on this thread, and notes how long it takes. */
  here<T>(call: () => T): T {
    const begun = this.#monotonic()
    try {
      return call()
    } finally {
      const took = this.#monotonic() - begun
      this.#late += Math.max(0, took - usual)
    }
  }

  async open(path: string): Promise<SourceHandle> {
    if (!this.arePrompt) return nodeSourceFiles.open(path)
    const descriptor = this.here(() => openSync(path, reading))
    return new PromptFile(this, descriptor)
  }

  async stat(path: string): Promise<BigIntStats> {
    if (!this.arePrompt) return nodeSourceFiles.stat(path)
    return this.here(() => statSync(path, { bigint: true }))
  }

  look(path: string, followLinks: boolean): BigIntStats | Promise<BigIntStats> {
    if (!this.arePrompt) return pooledLooks.look(path, followLinks)
    const look = followLinks ? statSync : lstatSync
    return this.here(() => look(path, { bigint: true }))
  }
}

class PromptFile implements SourceHandle {
  readonly #files: PromptFiles
  readonly #descriptor: number
  /** The same one, by the thread pool. */
  readonly #pooled: SourceHandle

  constructor(files: PromptFiles, descriptor: number) {
    this.#files = files
    this.#descriptor = descriptor
    this.#pooled = handleOf(descriptor)
  }

  async read(
    into: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number }> {
    if (length > mostRead || !this.#files.arePrompt) {
      return this.#pooled.read(into, offset, length, position)
    }
    const bytesRead = this.#files.here(() =>
      readSync(this.#descriptor, into, offset, length, position),
    )
    return { bytesRead }
  }

  async stat(options: { bigint: true }): Promise<BigIntStats> {
    return this.#files.arePrompt
      ? this.#files.here(() => fstatSync(this.#descriptor, options))
      : this.#pooled.stat(options)
  }

  async close(): Promise<void> {
    if (!this.#files.arePrompt) return this.#pooled.close()
    this.#files.here(() => closeSync(this.#descriptor))
  }
}
