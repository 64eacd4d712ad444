/**
 * What standard input is, looked at before it is read. Node reads files, pipes,
 * sockets and terminals; of anything else, a disk or a directory, its
 * `process.stdin` is empty and says nothing, which would become an empty object.
 */
import { createReadStream, fstatSync, readSync, statSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import process from 'node:process'
import type { Readable } from 'node:stream'
import { isatty } from 'node:tty'
import { UploadError } from '../index.js'

const descriptor = 0

/** Bytes that are read of a disk at once. */
const chunk = 1024 * 1024

/** Throws `PAWL_INVALID_OPTION` for what has no bytes to give. */
export function standardInput(): Readable {
  const stats = statsOf(descriptor)
  if (stats.isDirectory()) {
    refuse("is a directory; pack it: --exec 'tar c DIR'")
  }
  if (isWriteOnly(stats)) {
    refuse(
      'cannot be read (nohup puts that in place of a terminal); give a file, a pipe or --exec',
    )
  }
  const isNodes =
    stats.isFile() ||
    stats.isFIFO() ||
    stats.isSocket() ||
    stats.isCharacterDevice()
  return isNodes
    ? process.stdin
    : createReadStream('', {
        fd: descriptor,
        autoClose: false,
        highWaterMark: chunk,
      })
}

/** Standard input is a terminal: somebody has to type. */
export function isTyped(): boolean {
  return isatty(descriptor)
}

/**
 * Whether `nohup` started this. Node undoes the ignoring of signals before the
 * first line of a program runs, so what is left to tell by is what the shell
 * says that it ran, and the null device, open for writing only, that GNU's
 * `nohup` puts in place of a terminal.
 */
export function isUnderNohup(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  if (/(?:^|\/)nohup$/.test(environment['_'] ?? '')) return true
  return isWriteOnly(statsOf(descriptor))
}

/**
 * In BigInts: Node keeps its last look in numbers, and where that was at a pipe it
 * does not follow the links of packages that are imported next (pnpm's are links).
 */
function statsOf(fd: number): BigIntStats {
  try {
    return fstatSync(fd, { bigint: true })
  } catch (cause) {
    throw new UploadError(
      'PAWL_SOURCE_IO',
      'standard input cannot be looked at',
      { cause },
    )
  }
}

/** Only the null device is asked: a byte read from anything else is lost. */
function isWriteOnly(stats: BigIntStats): boolean {
  if (!stats.isCharacterDevice() || stats.rdev !== nullDevice()) return false
  try {
    readSync(descriptor, Buffer.alloc(1))
    return false
  } catch {
    return true
  }
}

function nullDevice(): bigint | undefined {
  try {
    return statSync('/dev/null', { bigint: true }).rdev
  } catch {
    // Windows has none of that name.
    return undefined
  }
}

function refuse(why: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', `standard input ${why}`)
}
