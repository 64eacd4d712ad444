import { open, rm } from 'node:fs/promises'

const bufferSize = 4 * 1024 * 1024

/**
 * Joins files into a new one of `size` bytes; nothing is left of it after an
 * error, such as files that make another size.
 */
export async function concatenate(
  sources: readonly string[],
  target: string,
  size: number,
): Promise<void> {
  const out = await open(target, 'wx')
  let copied = 0
  try {
    const buffer = Buffer.allocUnsafe(Math.min(bufferSize, size + 1))
    for (const source of sources) {
      const file = await open(source, 'r')
      try {
        for (;;) {
          const { bytesRead } = await file.read(buffer, 0, buffer.length)
          if (bytesRead === 0) break
          copied += bytesRead
          // Unlike `write`, this goes on until everything is written.
          await out.appendFile(buffer.subarray(0, bytesRead))
        }
      } finally {
        await file.close()
      }
    }
    if (copied !== size) {
      throw new Error(`the parts have ${copied} bytes instead of ${size}`)
    }
    await out.close()
  } catch (error) {
    await out.close()
    await rm(target, { force: true })
    throw error
  }
}
