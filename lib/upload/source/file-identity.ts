/**
 * Which file it is and in which state, as far as the file system says without
 * reading it. Pure.
 *
 * Equal identities say that nothing was written in between only when the times
 * had settled when they were recorded: clocks of file systems are coarse, and a
 * second write in the same tick leaves them as they are.
 */
import type { BigIntStats } from 'node:fs'
import type { FileIdentity } from '../../checkpoint/record.js'

export type { FileIdentity }

/** A file as it was looked at. */
export interface FileSight {
  identity: FileIdentity
  /** ms since 1970, when it was looked at. */
  time: number
}

/** How much older than its recording a time must be, ms. */
const settling = 2000

export function identityOf(stats: BigIntStats): FileIdentity {
  return {
    device: stats.dev.toString(),
    inode: stats.ino.toString(),
    size: Number(stats.size),
    mtime: stats.mtimeNs.toString(),
    ctime: stats.ctimeNs.toString(),
  }
}

export function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return (
    a.device === b.device &&
    a.inode === b.inode &&
    a.size === b.size &&
    a.mtime === b.mtime &&
    a.ctime === b.ctime
  )
}

/** Whether a write after it was looked at would have changed the identity. */
export function isSettled({ identity, time }: FileSight): boolean {
  const latest = BigInt(time - settling) * 1_000_000n
  return BigInt(identity.mtime) <= latest && BigInt(identity.ctime) <= latest
}
