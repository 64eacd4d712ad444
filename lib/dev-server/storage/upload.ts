import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiError } from '../wire/api-error.js'
import { newEtag } from './etag.js'
import { formatPartFileName, parsePartFileName } from './part-file-name.js'
import type { Blob } from './receive-blob.js'
import type { PartRecord, UploadRecord } from './records.js'
import type { ChecksumAlgorithm } from '../body/checksum-headers.js'

/**
 * One unfinished multipart upload: its record and its parts, each a file in its
 * folder. Changes of state are synchronous, so that none is seen half done.
 * States: open, then closed for ever (completed or aborted); a part that
 * arrives at a closed upload is refused. Complete and Abort go through
 * `exclusively`, one after the other.
 */
export class Upload {
  readonly record: UploadRecord
  readonly folder: string
  readonly #parts = new Map<number, PartRecord>()
  #highest = 0
  #isOpen = true
  #last: Promise<unknown> = Promise.resolve()

  constructor(record: UploadRecord, folder: string) {
    this.record = record
    this.folder = folder
  }

  /** Reads the parts of a folder; of two with one number the later counts. */
  load(): void {
    for (const name of readdirSync(this.folder)) {
      const part = parsePartFileName(name)
      if (part !== undefined) this.#keep(part)
    }
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get size(): number {
    return this.#parts.size
  }

  part(partNumber: number): PartRecord | undefined {
    return this.#parts.get(partNumber)
  }

  /** In ascending order of numbers. */
  parts(): PartRecord[] {
    return [...this.#parts.values()].toSorted(
      (a, b) => a.partNumber - b.partNumber,
    )
  }

  partPath(part: PartRecord): string {
    return join(this.folder, formatPartFileName(part))
  }

  /** Throws if this upload cannot take this part now. */
  checkAccepts(partNumber: number): void {
    if (!this.#isOpen) apiError('NoSuchUpload')
    if (!this.record.sequential) return
    if (partNumber <= this.#highest) apiError('PartAlreadyExist')
    if (partNumber !== this.#highest + 1) apiError('PartNotSequential')
  }

  /** Takes a received part in, in the place of one with the same number. */
  commit(
    partNumber: number,
    blob: Blob,
    algorithm: ChecksumAlgorithm | undefined,
  ): PartRecord {
    this.checkAccepts(partNumber)
    const { crc64ecma, md5 } = blob.digests
    const hex = algorithm === undefined ? undefined : blob.digests[algorithm]
    const sequence = nextSequence()
    const part: PartRecord = {
      partNumber,
      size: blob.size,
      etag: newEtag(md5, this.record.settings),
      ...(crc64ecma === undefined ? {} : { crc64: crc64ecma }),
      ...(algorithm === undefined || hex === undefined
        ? {}
        : { checksum: { algorithm, hex } }),
      sequence,
    }
    const path = this.partPath(part)
    if (blob.path === undefined) writeFileSync(path, '')
    else renameSync(blob.path, path)
    this.#keep(part)
    return part
  }

  #keep(part: PartRecord): void {
    const other = this.#parts.get(part.partNumber)
    const [old, current] =
      other !== undefined && other.sequence > part.sequence
        ? [part, other]
        : [other, part]
    this.#parts.set(part.partNumber, current)
    this.#highest = Math.max(this.#highest, part.partNumber)
    if (old !== undefined) rmSync(this.partPath(old), { force: true })
  }

  close(): void {
    this.#isOpen = false
  }

  /** Runs `work` after those before it, unless the upload is closed by then. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() =>
      this.#isOpen ? work() : apiError('NoSuchUpload'),
    )
    // The caller owns the outcome; those who follow only wait.
    this.#last = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }
}

let lastSequence = 0

function nextSequence(): number {
  lastSequence = Math.max(lastSequence + 1, Date.now() * 1000)
  return lastSequence
}
