import { open, rm, type FileHandle } from 'node:fs/promises'
import { DigestSet, type DigestName, type Digests } from '../body/digests.js'

/** Bytes that have been received whole, in a file of their own. */
export interface Blob {
  /** Undefined when the bytes were discarded. */
  readonly path: string | undefined
  readonly size: number
  readonly digests: Digests
}

const batchSize = 1024 * 1024

/**
 * Streams chunks into a new file and digests them. Nothing is left behind when
 * the chunks end in an error. Without a path they are digested and dropped.
 */
export async function receiveBlob(
  chunks: AsyncIterable<Buffer>,
  path: string | undefined,
  names: Iterable<DigestName>,
): Promise<Blob> {
  const digests = await DigestSet.create(names)
  const file = path === undefined ? undefined : await open(path, 'wx')
  const writer = file === undefined ? undefined : new BatchWriter(file)
  let size = 0
  try {
    for await (const chunk of chunks) {
      size += chunk.length
      const written = writer?.write(chunk)
      digests.update(chunk)
      if (written !== undefined) await written
    }
    await writer?.end()
    await file?.close()
    return { path, size, digests: digests.finish() }
  } catch (error) {
    await writer?.settle()
    await file?.close()
    if (path !== undefined) await rm(path, { force: true })
    throw error
  } finally {
    digests.release()
  }
}

/** Gathers chunks and writes one batch while the next one comes in. */
class BatchWriter {
  readonly #file: FileHandle
  #batch: Buffer[] = []
  #size = 0
  /** Never rejects: what went wrong is kept for the next call. */
  #writing: Promise<void> = Promise.resolve()
  #error: unknown

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** Undefined when there is nothing to wait for. */
  write(chunk: Buffer): Promise<void> | undefined {
    this.#batch.push(chunk)
    this.#size += chunk.length
    return this.#size >= batchSize ? this.#flush() : undefined
  }

  async end(): Promise<void> {
    if (this.#size > 0) await this.#flush()
    await this.#writing
    this.#check()
  }

  settle(): Promise<void> {
    return this.#writing
  }

  async #flush(): Promise<void> {
    await this.#writing
    this.#check()
    const batch = this.#batch
    const size = this.#size
    this.#batch = []
    this.#size = 0
    this.#writing = this.#writeAll(batch, size)
  }

  async #writeAll(batch: Buffer[], size: number): Promise<void> {
    try {
      const { bytesWritten } = await this.#file.writev(batch)
      if (bytesWritten !== size) this.#error = new Error('no space is left')
    } catch (error) {
      this.#error = error
    }
  }

  #check(): void {
    if (this.#error !== undefined) {
      throw new Error('a body cannot be written', { cause: this.#error })
    }
  }
}
