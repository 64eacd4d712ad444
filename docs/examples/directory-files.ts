/** Files of `directory-store.ts`: written whole, synced, and then given a name. */
import { createHash, randomUUID } from 'node:crypto'
import {
  link,
  open,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import {
  StoreError,
  type BodyRequest,
  type Call,
  type StoreErrorKind,
} from 'pawl'

/** Bytes that are on the disk, and what their record says of them. */
export interface Stored {
  file: string
  size: number
  etag: string
  lastModified: number
}

/** A body's bytes as a file of a random name in a directory. */
export async function receive(
  directory: string,
  { body, size, md5: expected }: Omit<BodyRequest, 'key'>,
  { signal }: Call,
): Promise<Stored> {
  const file = randomUUID()
  const md5 = createHash('md5')
  let written = 0
  try {
    const handle = await open(join(directory, file), 'wx')
    try {
      for await (const view of body()) {
        signal.throwIfAborted()
        md5.update(view)
        await writeFile(handle, view)
        written += view.byteLength
      }
      await handle.datasync()
    } finally {
      await handle.close()
    }
    if (written !== size) {
      throw failure('request', `${written} bytes came, expected ${size}`)
    }
    const digest = md5.digest()
    if (expected !== undefined && digest.toString('base64') !== expected) {
      throw failure('digest', 'the bytes are not those of their MD5')
    }
    await syncDirectory(directory)
    return {
      file,
      size,
      etag: digest.toString('hex'),
      lastModified: Date.now(),
    }
  } catch (error) {
    await remove(directory, file)
    throw error
  }
}

/** Puts a record in place, in one step; `exclusive`: only where there is none. */
export async function putRecord(
  directory: string,
  name: string,
  { record, exclusive = false }: { record: object; exclusive?: boolean },
): Promise<void> {
  const draft = join(directory, `${randomUUID()}.draft`)
  const path = join(directory, name)
  try {
    await writeFile(draft, JSON.stringify(record), { flush: true })
    // A link, unlike a rename, does not take a name that is taken.
    await (exclusive ? link(draft, path) : rename(draft, path))
    await syncDirectory(directory)
  } finally {
    await rm(draft, { force: true })
  }
}

/**
 * Undefined when there is none. What a record says is believed: whoever may
 * write it may write the bytes too.
 */
export async function readRecord<Kept>(
  path: string,
): Promise<Kept | undefined> {
  try {
    const record: Kept = JSON.parse(await readFile(path, 'utf8'))
    return record
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

export async function remove(directory: string, file: string): Promise<void> {
  await rm(join(directory, file), { force: true })
}

/** None when there is no such directory. */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** A name is durable when its directory is. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export function failure(
  kind: StoreErrorKind,
  message: string,
  cause?: unknown,
): StoreError {
  return new StoreError(message, { kind, cause })
}

/** What a failing file system means to an upload. */
export function kindOf(code: string): StoreErrorKind {
  switch (code) {
    case 'ENOENT':
      // The upload was aborted, or completed, while this went on.
      return 'no-upload'
    case 'EEXIST':
      return 'exists'
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'denied'
    default:
      // A full or a failing disk may be mended: worth another attempt.
      return 'server'
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error
    ? String(error.code)
    : String(error)
}
