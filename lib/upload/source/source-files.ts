/** The calls of the file system that a file as a source needs, and the real ones. */
import { constants, fstat, ReadStream, type BigIntStats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { promisify } from 'node:util'

/** An open file; `FileHandle` is one. */
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

export const nodeSourceFiles: SourceFiles = {
  // Without O_NONBLOCK opening a FIFO would wait for a writer.
  open: (path) => open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)),
  stat: (path) => stat(path, { bigint: true }),
}

/** Whether it is a stream of Node's over a file. */
export function isFileStream(source: unknown): source is ReadStream {
  return source instanceof ReadStream
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
        ? await promisify(fstat)(descriptor)
        : await stat(source.path)
    return stats.isFile() && stats.size > bytes
  } catch {
    // What is wrong with the file its stream tells.
    return false
  }
}
