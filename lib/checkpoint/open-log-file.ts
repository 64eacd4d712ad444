/**
 * Opens a log file, makes sure that it is safe to write, and takes its lock.
 *
 * Nothing about a file that is there is changed, whatever it is. What the path
 * named before the lock was taken may not be what it names now, so both are
 * compared afterwards, and opening begins anew when they differ.
 */
import type { BigIntStats } from 'node:fs'
import { systemCode } from '../realm.js'
import {
  fileFailed,
  fileLocked,
  fileOfOthers,
  fileUnsafe,
} from './file-errors.js'
import type { FileSystem, LogHandle } from './file-system.js'
import { MAX_LOG_BYTES } from './format.js'
import type { HeldLock, Locker } from './lock.js'
import { notACheckpoint } from './reader.js'

/** By what a log is opened, and who may have written it. */
export interface LogFileMeans {
  fs: FileSystem
  locker: Locker
  /** Whoever may write where it is: owner and mode are not looked at. */
  isTrusted: boolean
  /** A longer file is no log of this kind. */
  mostBytes?: number
}

/** An open and locked log file. */
export interface OpenLogFile {
  handle: LogHandle
  lock: HeldLock
  device: bigint
  inode: bigint
  /** Made by this call. */
  isNew: boolean
}

/** How often a file that is replaced under our hands is tried. */
const ATTEMPTS = 16

export async function openLogFile(
  path: string,
  name: string,
  means: LogFileMeans,
): Promise<OpenLogFile> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const opened = await tryOpen(path, name, means)
    const file = opened && (await lockFile(opened, path, name, means))
    if (file !== undefined) return file
  }
  throw fileLocked(name, 'is replaced again and again')
}

/** What a path names, without following a link; undefined when nothing. */
export async function lstatIfAny(
  fs: FileSystem,
  path: string,
): Promise<BigIntStats | undefined> {
  try {
    return await fs.lstat(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

interface Opened {
  handle: LogHandle
  isNew: boolean
}

/** Undefined when the path changed between two calls. */
async function tryOpen(
  path: string,
  name: string,
  { fs, mostBytes = MAX_LOG_BYTES }: LogFileMeans,
): Promise<Opened | undefined> {
  let isNew = false
  try {
    const found = await lstatIfAny(fs, path)
    isNew = found === undefined
    if (found !== undefined) checkKind(found, name, mostBytes)
    return { handle: await fs.open(path, isNew ? 'new' : 'existing'), isNew }
  } catch (error) {
    const code = systemCode(error)
    if (code === (isNew ? 'EEXIST' : 'ENOENT')) return undefined
    if (code === 'ELOOP') throw fileUnsafe(name, 'is a symbolic link')
    throw fileFailed(name, 'opened', error)
  }
}

/** Undefined when the path does not name this file any more. */
async function lockFile(
  { handle, isNew }: Opened,
  path: string,
  name: string,
  { fs, locker, isTrusted, mostBytes = MAX_LOG_BYTES }: LogFileMeans,
): Promise<OpenLogFile | undefined> {
  let lock: HeldLock | undefined
  try {
    const found = await handle.stat()
    checkKind(found, name, mostBytes)
    const aside = await halfSetAside(found, path, fs)
    if (aside === undefined) checkNames(found, name)
    if (!isTrusted) checkOwner(found, name)
    if (!isTrusted && isNew) await keepToOwner(handle, name)
    const { dev: device, ino: inode } = found
    lock = await locker({ fd: handle.fd, device, inode })
    if (lock === undefined) throw fileLocked(name, 'is held by another upload')
    if (aside !== undefined) {
      await fs.unlink(aside)
      checkNames(await handle.stat(), name)
    }
    const named = await lstatIfAny(fs, path)
    if (named?.dev === device && named.ino === inode) {
      return { handle, lock, device, inode, isNew }
    }
  } catch (cause) {
    const error = fileFailed(name, 'opened', cause)
    // Another run that holds a file which was made here found it before it was
    // locked.
    if (isNew && error.code !== 'PAWL_CHECKPOINT_LOCKED') {
      await removeUnused(handle, path, fs)
    }
    await lock?.release()
    await handle.close()
    throw error
  }
  await lock.release()
  await handle.close()
  return undefined
}

/** Removes a file that was made here and cannot be used. */
async function removeUnused(
  handle: LogHandle,
  path: string,
  fs: FileSystem,
): Promise<void> {
  try {
    const [ours, named] = await Promise.all([handle.stat(), fs.lstat(path)])
    const isOurs = ours.dev === named.dev && ours.ino === named.ino
    if (isOurs && ours.size === 0n) await fs.unlink(path)
  } catch {
    // An empty file may stay: it is as good as none for the next run.
  }
}

/** How many damaged logs may be beside one. */
const MAX_SET_ASIDE = 1000

/** The names that a damaged log may be given, in order. */
export function* asideNames(path: string): Generator<string> {
  yield `${path}.damaged`
  for (let count = 2; count <= MAX_SET_ASIDE; count++) {
    yield `${path}.damaged-${count}`
  }
}

/**
 * The second name of a log whose setting aside was cut off between its two steps:
 * both would make it unsafe for every later run.
 */
async function halfSetAside(
  { nlink, dev, ino }: BigIntStats,
  path: string,
  fs: FileSystem,
): Promise<string | undefined> {
  if (nlink !== 2n) return undefined
  for (const name of asideNames(path)) {
    const found = await lstatIfAny(fs, name)
    if (found?.dev === dev && found.ino === ino) return name
  }
  return undefined
}

/** Throws for what cannot be a log, before it is opened and again after. */
function checkKind(found: BigIntStats, name: string, mostBytes: number): void {
  if (found.isDirectory()) throw notACheckpoint(`${name}, a directory,`)
  if (found.isSymbolicLink()) throw fileUnsafe(name, 'is a symbolic link')
  if (!found.isFile()) throw fileUnsafe(name, 'is not a regular file')
  if (found.size > mostBytes) throw notACheckpoint(name)
}

/** Throws for a file that has another name, by which it could be written. */
function checkNames({ nlink }: BigIntStats, name: string): void {
  if (nlink !== 1n) throw fileUnsafe(name, `has ${nlink} names (hard links)`)
}

/** Throws for a file of another user. */
function checkOwner({ uid }: BigIntStats, name: string): void {
  const user = process.geteuid?.()
  // Windows has no owners and modes that mean anything here.
  if (user === undefined || uid === BigInt(user)) return
  throw fileOfOthers(name, `is owned by user ${uid}, not by ${user}`)
}

/**
 * Takes from a file of our own what a volume has let others do with it. Throws
 * where that does not stick.
 */
export async function keepToOwner(
  handle: LogHandle,
  name: string,
): Promise<void> {
  if (process.geteuid === undefined) return
  if (!isWritableByOthers(await handle.stat())) return
  await handle.chmod(0o600).catch((error: unknown) => {
    const why = `can be written by others, and its mode stays (${systemCode(error)})`
    throw fileOfOthers(name, why)
  })
  if (!isWritableByOthers(await handle.stat())) return
  throw fileOfOthers(name, 'can be written by others, and its mode stays')
}

function isWritableByOthers({ mode }: BigIntStats): boolean {
  return (mode & 0o022n) !== 0n
}
