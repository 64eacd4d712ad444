/** How a call of the file system can go wrong, each in one row. */
import type { Random } from '../random.js'

export type DiskCall =
  | 'open'
  | 'write'
  | 'truncate'
  | 'datasync'
  | 'link'
  | 'unlink'
  | 'syncDirectory'

export interface DiskFault {
  readonly name: string
  readonly weight: number
  readonly calls: readonly DiskCall[]
  /** Follows the name of the call. */
  readonly story: string
  /** The system's code; without it the call succeeds, late. */
  readonly code?: string
  /** How much of a write is done all the same. */
  readonly written?: 'nothing' | 'half'
  /** ms that it hangs. */
  readonly hangs?: (random: Random) => number
}

const hour = 3_600_000

export const diskFaults: readonly DiskFault[] = [
  {
    name: 'disk-full',
    weight: 3,
    calls: ['write'],
    story: 'fails: the disk is full',
    code: 'ENOSPC',
    written: 'nothing',
  },
  {
    name: 'short-write',
    weight: 2,
    calls: ['write'],
    story: 'writes only half',
    written: 'half',
  },
  {
    name: 'disk-error',
    weight: 2,
    calls: [
      'open',
      'write',
      'truncate',
      'datasync',
      'link',
      'unlink',
      'syncDirectory',
    ],
    story: 'fails: an error of the disk',
    code: 'EIO',
  },
  {
    name: 'no-descriptors',
    weight: 1,
    calls: ['open'],
    story: 'fails: no file descriptors are left',
    code: 'EMFILE',
  },
  {
    name: 'not-removable',
    weight: 2,
    calls: ['unlink'],
    story: 'fails: not permitted',
    code: 'EACCES',
  },
  {
    name: 'slow-disk',
    weight: 2,
    calls: ['open', 'write', 'truncate', 'datasync', 'unlink', 'syncDirectory'],
    story: 'hangs for a while',
    hangs: (random) => random.spread(1000, 300_000),
  },
  {
    name: 'hanging-disk',
    weight: 1,
    calls: ['open', 'write', 'truncate', 'datasync', 'unlink', 'syncDirectory'],
    story: 'hangs for a day',
    hangs: () => 24 * hour,
  },
]

/** How often a fault is likely at a call, where 1 is a call like any other. */
export const faultyDiskCalls: Readonly<Record<DiskCall, number>> = {
  open: 1,
  write: 1,
  truncate: 4,
  datasync: 1,
  link: 2,
  unlink: 2,
  syncDirectory: 1,
}
