/** Reads a file that may shrink meanwhile; refuses one beyond a log's limit. */
import type { LogHandle } from './file-system.js'
import { MAX_LOG_BYTES } from './format.js'
import { notACheckpoint } from './reader.js'

export async function readWhole(
  handle: Pick<LogHandle, 'stat' | 'read'>,
  name: string,
): Promise<Uint8Array> {
  const { size } = await handle.stat()
  if (size > MAX_LOG_BYTES) throw notACheckpoint(name)
  const bytes = Buffer.alloc(Number(size))
  let length = 0
  while (length < bytes.length) {
    const read = await handle.read(bytes.subarray(length), length)
    if (read === 0) break
    length += read
  }
  return bytes.subarray(0, length)
}
