/** The calls of the file system that a file as a source needs, and the real ones. */
import { constants, type BigIntStats } from 'node:fs'
import { open, stat } from 'node:fs/promises'

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
