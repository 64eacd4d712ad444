/**
 * Where a machine that sends parts of one object reads them: a file that it sees,
 * or a function that gives any range of the bytes.
 */
import { realpath } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { invalidOption, UploadError } from '../errors.js'
import { isUint8Array, messageOf } from '../realm.js'
import type { UploadEnvironment } from '../upload/options/environment.js'
import type { ByteSource } from '../upload/source/file-parts.js'
import { FileSource } from '../upload/source/file-source.js'
import type { HashedPart } from '../upload/source/part-content.js'
import type { Ticket } from './ticket.js'

/** A file as the source of parts; made by `file()`. */
export interface PartsFile {
  /** With `root`, relative to it or below it. */
  path: string
}

/**
 * The `size` bytes of the source from `offset` on, as often as they are asked for;
 * a part at a time.
 */
export type RangeSource = (
  offset: number,
  size: number,
) => AsyncIterable<Uint8Array>

/** What parts can be read from. */
export type PartsSource = PartsFile | RangeSource

/**
 * A file as the source of `uploadParts`.
 *
 * @example
 * await uploadParts(ticket, { store, source: file('/mnt/db.dump') })
 */
export function file(path: string): PartsFile {
  return { path }
}

/** A source that was opened. */
export interface OpenSource {
  bytes: ByteSource
  /** Rejects unless the source is what was read of it. */
  check: (taken: readonly HashedPart[]) => Promise<void>
  close: () => Promise<void>
}

/** Throws `PAWL_INVALID_OPTION` unless it is one. */
export function checkSource(source: unknown): asserts source is PartsSource {
  if (typeof source === 'function') return
  const path: unknown =
    typeof source === 'object' && source !== null && 'path' in source
      ? source.path
      : undefined
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return
  invalidOption(
    'source is required: file(path), or a function (offset, size) => AsyncIterable<Uint8Array>',
  )
}

export async function openSource(
  source: PartsSource,
  ticket: Ticket,
  {
    root,
    environment,
  }: { root: string | undefined } & {
    environment: UploadEnvironment
  },
): Promise<OpenSource> {
  if (typeof source === 'function') {
    const bytes = new RangeBytes(source, ticket)
    return { bytes, check: async () => undefined, close: () => bytes.close() }
  }
  const { sourceFiles: files, now, digests } = environment
  const { key, size } = ticket
  const real = await placeBelow(source.path, root)
  const opened = await FileSource.open(real, { key, files, now })
  try {
    // A link on the way to the file may have been changed before it was opened.
    if (root !== undefined && (await placeBelow(source.path, root)) !== real) {
      throw outside(source.path, root)
    }
    await opened.mustBeInPlace()
    if (opened.size !== size) {
      throw changed(
        key,
        `${source.path} has ${opened.size} bytes, and the ticket is for ${size}`,
      )
    }
  } catch (error) {
    await opened.close()
    throw error
  }
  return {
    bytes: opened,
    check: (taken) => opened.mustBeAsTaken(async () => taken, digests),
    close: () => opened.close(),
  }
}

/** The source is not the one that the upload was begun for, or not any more. */
export function changed(key: string, how: string): UploadError {
  return new UploadError(
    'PAWL_SOURCE_CHANGED',
    `the source is not what the upload was begun for: ${how}; nothing of it counts`,
    { key },
  )
}

/**
 * Where a path leads to, which has to be below `root`: a path in a job is input.
 * Links that stay below it are followed.
 */
export async function placeBelow(
  path: string,
  root: string | undefined,
): Promise<string> {
  if (root === undefined) return path
  if (path.split(/[\\/]/).includes('..')) throw outside(path, root)
  const top = await realOf(root)
  // The root may itself be given by a path that leads through links.
  const below = [resolve(root), top]
    .map((directory) => relative(directory, resolve(directory, path)))
    .find((name) => !isOut(name))
  if (below === undefined) throw outside(path, root)
  const real = await realOf(join(top, below))
  if (isOut(relative(top, real))) throw outside(path, root)
  return real
}

/** Of a path relative to a root. */
function isOut(path: string): boolean {
  return path === '' || path.split(sep)[0] === '..' || isAbsolute(path)
}

function outside(path: string, root: string): UploadError {
  return new UploadError(
    'PAWL_INVALID_OPTION',
    `the path ${JSON.stringify(path)} leads out of ${root}, which is all that may be read here`,
  )
}

async function realOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (cause) {
    throw new UploadError(
      'PAWL_SOURCE_IO',
      `${path} cannot be opened: ${messageOf(cause)}`,
      { cause },
    )
  }
}

/** One pass over the bytes of one part. */
interface Pass {
  readonly iterator: AsyncIterator<Uint8Array>
  /** Offset of the pass's next byte. */
  at: number
  /** Bytes that it gave and nobody has taken. */
  rest: Uint8Array
}

/** A function's ranges, as bytes that are read part by part, each in order. */
class RangeBytes implements ByteSource {
  readonly #ranges: RangeSource
  readonly #ticket: Ticket
  /** By part number. */
  readonly #passes = new Map<number, Pass>()

  constructor(ranges: RangeSource, ticket: Ticket) {
    this.#ranges = ranges
    this.#ticket = ticket
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    const { partSize, size } = this.#ticket
    const number = Math.floor(position / partSize)
    const end = Math.min(size, (number + 1) * partSize)
    const pass = await this.#passAt(number, position, end)
    for (let filled = 0; filled < into.byteLength;) {
      if (pass.rest.byteLength === 0) {
        pass.rest = await this.#next(pass, end)
        continue
      }
      const piece = pass.rest.subarray(0, into.byteLength - filled)
      into.set(piece, filled)
      filled += piece.byteLength
      pass.at += piece.byteLength
      pass.rest = pass.rest.subarray(piece.byteLength)
    }
    if (pass.at < end) return
    if (pass.rest.byteLength > 0) {
      throw this.changed(`it gave more than the ${end} bytes asked for`)
    }
    await this.#end(number)
  }

  async mustBeUnchanged(): Promise<void> {
    // What it gives is proved by its hash alone.
  }

  changed(how: string): UploadError {
    return changed(this.#ticket.key, how)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#passes.keys()].map((one) => this.#end(one)))
  }

  /** Another attempt begins anew; the pass before it is of no use. */
  async #passAt(number: number, position: number, end: number): Promise<Pass> {
    const known = this.#passes.get(number)
    if (known?.at === position) return known
    await this.#end(number)
    const bytes = this.#ranges(position, end - position)
    const iterator = bytes[Symbol.asyncIterator]()
    const pass = { iterator, at: position, rest: new Uint8Array() }
    this.#passes.set(number, pass)
    return pass
  }

  async #next(pass: Pass, end: number): Promise<Uint8Array> {
    const { iterator, at } = pass
    let next: IteratorResult<Uint8Array, unknown>
    try {
      next = await iterator.next()
    } catch (cause) {
      throw new UploadError(
        'PAWL_SOURCE_IO',
        `the source cannot be read from byte ${at} on: ${messageOf(cause)}`,
        { cause },
      )
    }
    if (next.done !== true) return asBytes(next.value)
    throw this.changed(`it ended at byte ${at}, expected ${end}`)
  }

  async #end(number: number): Promise<void> {
    const pass = this.#passes.get(number)
    this.#passes.delete(number)
    await pass?.iterator.return?.()
  }
}

function asBytes(chunk: unknown): Uint8Array {
  if (isUint8Array(chunk)) return chunk
  return invalidOption('source: expected chunks that are Uint8Arrays')
}
