/** The calls of the file system that a file as a source needs, and the real ones. */
import {
  close,
  constants,
  fstat,
  open,
  read,
  ReadStream,
  stat,
  type BigIntStats,
} from 'node:fs'
import { promisify } from 'node:util'

const openFile = promisify(open)
const readOpen = promisify(read)
const statFile = promisify(stat)
const statOpen = promisify(fstat)
const closeFile = promisify(close)

/** An open file. It is closed once, when nothing is read of it any more. */
export interface SourceHandle {
  read(
    into: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number }>
  stat(options: { bigint: true }): Promise<BigIntStats>
  close(): Promise<void>
}

export interface SourceFiles {
  open(path: string): Promise<SourceHandle>
  stat(path: string): Promise<BigIntStats>
}

// Without O_NONBLOCK opening a FIFO would wait for a writer.
export const reading = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/** By its descriptor: a `FileHandle` takes half as much again of a small file. */
export function handleOf(descriptor: number): SourceHandle {
  return {
    read: (...where) => readOpen(descriptor, ...where),
    stat: (options) => statOpen(descriptor, options),
    close: () => closeFile(descriptor),
  }
}

export const nodeSourceFiles: SourceFiles = {
  open: async (path) => handleOf(await openFile(path, reading)),
  stat: (path) => statFile(path, { bigint: true }),
}

/** Whether it is a stream of Node's over a file. */
export function isFileStream(source: unknown): source is ReadStream {
  return source instanceof ReadStream
}

/** Whether it is one of Node's own, and not of a class that was made of it. */
export function isPlainFileStream(source: unknown): source is ReadStream {
  return (
    isFileStream(source) &&
    Object.getPrototypeOf(source) === ReadStream.prototype
  )
}

/** Whether it reads a regular file of more than so many bytes. Never rejects. */
export async function readsLongFile(
  source: ReadStream,
  bytes: number,
): Promise<boolean> {
  const descriptor: unknown = Reflect.get(source, 'fd')
  try {
    const stats =
      typeof descriptor === 'number'
        ? await statOpen(descriptor)
        : await statFile(source.path)
    return stats.isFile() && stats.size > bytes
  } catch {
    // What is wrong with the file its stream tells.
    return false
  }
}
