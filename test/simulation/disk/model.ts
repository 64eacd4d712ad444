/**
 * A disk on which the real file checkpoint keeps its logs: what is in memory
 * and what would outlive a power loss are apart, for bytes and for names.
 *
 * It also watches who writes: two writes at once to one log, or a write, an emptying, a
 * second name or an unlink by somebody who does not hold its lock, when that is asked
 * for or when it takes effect, are remembered as a breach.
 */
import type { BigIntStats } from 'node:fs'
import { dirname } from 'node:path'
import type {
  FileSystem,
  LogHandle,
} from '../../../lib/checkpoint/file-system.js'
import type { HeldLock, Locker } from '../../../lib/checkpoint/lock.js'
import type { Process } from '../process.js'
import { Random } from '../random.js'
import type { World } from '../world.js'
import { diskFaults, faultyDiskCalls, type DiskCall } from './faults.js'

interface Inode {
  readonly number: bigint
  /** As every process sees it. */
  bytes: Buffer
  /** As it would be after a power loss. */
  durable: Buffer
  /** It was emptied, and that was not synced. */
  isEmptied?: boolean
  links: number
  /** Who has begun a write that has not ended. */
  writer: Process | undefined
}

interface Held {
  readonly process: Process
  readonly descriptor: number
}

export interface DiskSurroundings {
  readonly world: World
  lean<T extends { name: string; weight: number }>(
    rows: readonly T[],
  ): readonly T[]
  readonly diskBudget: { most: number; likely: number }
  moment(name: string, process: Process): void
}

const device = 7n
const user = BigInt(process.geteuid?.() ?? 0)

export class DiskModel {
  readonly breaches: string[] = []
  /** Logs that were put in the place of the one which an unlink under way was for. */
  readonly takenLate: Buffer[] = []
  readonly #name: string
  readonly #around: DiskSurroundings
  readonly #inodes = new Map<bigint, Inode>()
  readonly #names = new Map<string, bigint>()
  readonly #durableNames = new Map<string, bigint>()
  readonly #locks = new Map<bigint, Held>()
  #lastInode = 100n
  #lastDescriptor = 10

  constructor(name: string, around: DiskSurroundings) {
    this.#name = name
    this.#around = around
  }

  /** What a path leads to, as processes see it; undefined when to nothing. */
  read(path: string): Buffer | undefined {
    return this.#at(path)?.bytes
  }

  /** Every path that leads to a file. */
  paths(): string[] {
    return [...this.#names.keys()]
  }

  /** Puts a file there by other means, all of it durable. */
  put(path: string, bytes: Uint8Array): void {
    const inode = this.#make()
    inode.bytes = Buffer.from(bytes)
    inode.durable = inode.bytes
    inode.links = 1
    this.#names.set(path, inode.number)
    this.#durableNames.set(path, inode.number)
  }

  /** Changes a file in its place, by other means. */
  change(path: string, change: (bytes: Buffer) => Uint8Array): void {
    const inode = this.#at(path)
    if (inode === undefined) return
    inode.bytes = Buffer.from(change(inode.bytes))
    inode.durable = inode.bytes
    inode.isEmptied = false
  }

  /** Takes a name away by other means. */
  take(path: string): void {
    this.#names.delete(path)
    this.#durableNames.delete(path)
  }

  isLocked(path: string): boolean {
    const number = this.#names.get(path)
    return number !== undefined && this.#locks.has(number)
  }

  /** A process is dead: what it held is free. */
  letGoOf(process: Process): void {
    for (const [number, held] of this.#locks) {
      if (held.process === process) this.#locks.delete(number)
    }
  }

  /** What was not synced is lost, or a part of it, or is zeroes. */
  losePower(random: Random): void {
    this.#locks.clear()
    const kept = new Map(this.#durableNames)
    // A name that was not synced may have made it all the same.
    for (const [path, number] of this.#names) {
      if (!kept.has(path) && random.chance(0.3)) kept.set(path, number)
    }
    for (const path of kept.keys()) {
      const isGone = !this.#names.has(path)
      if (isGone && random.chance(0.3)) kept.delete(path)
    }
    for (const inode of this.#inodes.values()) {
      inode.bytes = afterPowerLoss(inode, random)
      inode.durable = inode.bytes
      inode.isEmptied = false
      inode.writer = undefined
    }
    this.#names.clear()
    this.#durableNames.clear()
    for (const [path, number] of kept) {
      this.#names.set(path, number)
      this.#durableNames.set(path, number)
    }
    for (const [number, inode] of this.#inodes) {
      inode.links = [...kept.values()].filter((one) => one === number).length
    }
  }

  filesFor(process: Process): FileSystem {
    return {
      open: (path, how) =>
        this.#do(process, 'open', path, () => this.#open(process, path, how)),
      isDirectory: async () => false,
      lstat: async (path) => {
        const inode = this.#at(path)
        if (inode === undefined) throw failure('ENOENT', path)
        return statsOf(inode)
      },
      link: (from, to) =>
        this.#do(process, 'link', from, () => {
          const inode = this.#at(from)
          if (inode === undefined) throw failure('ENOENT', from)
          if (this.#names.has(to)) throw failure('EEXIST', to)
          this.#mustBeHeldBy(process, 'links', from, inode)
          inode.links += 1
          this.#names.set(to, inode.number)
        }),
      unlink: (path) => {
        const meant = this.#at(path)
        return this.#do(process, 'unlink', path, () => {
          const inode = this.#at(path)
          if (inode === undefined) throw failure('ENOENT', path)
          this.#mustBeHeldBy(process, 'unlinks', path, meant)
          if (inode !== meant) {
            this.#around.world.happens('late-unlink', process.label)
            this.takenLate.push(inode.bytes)
          }
          inode.links -= 1
          this.#names.delete(path)
        })
      },
      syncDirectory: (path) =>
        this.#do(process, 'syncDirectory', path, () => {
          this.#syncDirectory(path)
        }),
    }
  }

  lockerFor(process: Process): Locker {
    return async ({ fd, inode }): Promise<HeldLock | undefined> => {
      if (this.#locks.has(inode)) return undefined
      const held: Held = { process, descriptor: fd }
      this.#locks.set(inode, held)
      return {
        release: async () => {
          if (this.#locks.get(inode) === held) this.#locks.delete(inode)
        },
      }
    }
  }

  #open(
    process: Process,
    path: string,
    how: 'existing' | 'new' | 'reading',
  ): LogHandle {
    const found = this.#at(path)
    if (how === 'new' && found !== undefined) throw failure('EEXIST', path)
    if (how !== 'new' && found === undefined) throw failure('ENOENT', path)
    const inode = found ?? this.#make()
    if (found === undefined) {
      inode.links = 1
      this.#names.set(path, inode.number)
    }
    const fd = this.#lastDescriptor++
    return {
      fd,
      stat: async () => statsOf(inode),
      read: async (into, position) =>
        inode.bytes.copy(into, 0, position, position + into.length),
      write: (bytes) => this.#write(process, path, inode, fd, bytes),
      // Its files are of one user and one mode.
      chmod: async () => undefined,
      datasync: () =>
        this.#do(process, 'datasync', path, () => {
          inode.durable = inode.bytes
          inode.isEmptied = false
        }),
      empty: () => {
        this.#mustHold(process, path, inode, fd)
        return this.#do(process, 'truncate', path, () => {
          this.#mustHold(process, path, inode, fd)
          inode.isEmptied = true
          inode.bytes = Buffer.alloc(0)
        })
      },
      close: async () => {
        const held = this.#locks.get(inode.number)
        if (held?.descriptor === fd) this.#locks.delete(inode.number)
      },
    }
  }

  #write(
    process: Process,
    path: string,
    inode: Inode,
    descriptor: number,
    bytes: Uint8Array,
  ): Promise<number> {
    this.#mustHold(process, path, inode, descriptor)
    if (inode.writer?.isAlive === true) {
      this.breaches.push(`${process.name} writes to ${path} twice at once`)
    }
    const copy = Buffer.from(bytes)
    inode.writer = process
    return this.#do(process, 'write', path, (part) => {
      this.#mustHold(process, path, inode, descriptor)
      const written = copy.subarray(0, Math.floor(copy.length * part))
      inode.bytes = Buffer.concat([inode.bytes, written])
      return written.length
    }).finally(() => {
      inode.writer = undefined
    })
  }

  #mustHold(
    process: Process,
    path: string,
    { number }: Inode,
    descriptor: number,
  ): void {
    if (this.#locks.get(number)?.descriptor === descriptor) return
    this.breaches.push(`${process.name} writes to ${path} without its lock`)
  }

  /** `inode`: what the path led to when that was asked for. */
  #mustBeHeldBy(
    process: Process,
    does: string,
    path: string,
    inode: Inode | undefined,
  ): void {
    const held = inode && this.#locks.get(inode.number)
    if (held?.process === process) return
    this.breaches.push(`${process.name} ${does} ${path} without its lock`)
  }

  #syncDirectory(path: string): void {
    for (const name of this.#durableNames.keys()) {
      if (dirname(name) === path && !this.#names.has(name)) {
        this.#durableNames.delete(name)
      }
    }
    for (const [name, number] of this.#names) {
      if (dirname(name) === path) this.#durableNames.set(name, number)
    }
  }

  /** A call takes its time, and may fail; `part` is how much of it is done. */
  #do<T>(
    process: Process,
    call: DiskCall,
    path: string,
    act: (part: number) => T,
  ): Promise<T> {
    const { world, diskBudget } = this.#around
    const decision = world.decisions.at(
      `${process.label}:${call}`,
      'disk',
      {
        most: diskBudget.most,
        likely: diskBudget.likely * faultyDiskCalls[call],
      },
      () =>
        this.#around.lean(
          diskFaults.filter(({ calls }) => calls.includes(call)),
        ),
    )
    const fault = diskFaults.find(({ name }) => name === decision?.does)
    const story = fault === undefined ? '' : `, which ${fault.story}`
    world.tell(process.label, `${call} ${path} on ${this.#name}${story}`)
    if (fault !== undefined) world.happens(fault.name, process.label)
    const { code, written, hangs } = fault ?? {}
    const random = new Random(decision?.detail ?? 0)
    const ms = hangs === undefined ? world.decisions.wait() : hangs(random)
    this.#around.moment(call, process)
    return new Promise<T>((resolve, reject) => {
      world.in(ms, process, () => {
        try {
          if (code !== undefined) throw failure(code, path)
          resolve(act(written === 'half' ? 0.5 : 1))
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  #make(): Inode {
    const number = this.#lastInode++
    const inode: Inode = {
      number,
      bytes: Buffer.alloc(0),
      durable: Buffer.alloc(0),
      links: 0,
      writer: undefined,
    }
    this.#inodes.set(number, inode)
    return inode
  }

  #at(path: string): Inode | undefined {
    const number = this.#names.get(path)
    return number === undefined ? undefined : this.#inodes.get(number)
  }
}

function afterPowerLoss(inode: Inode, random: Random): Buffer {
  const { bytes, isEmptied = false } = inode
  // It is as long as it was, or begins anew; there is nothing in between.
  if (isEmptied && random.chance(0.4)) return inode.durable
  const durable = isEmptied ? Buffer.alloc(0) : inode.durable
  const unsynced = bytes.subarray(durable.length)
  if (unsynced.length === 0) return bytes.subarray(0, durable.length)
  const torn = unsynced.subarray(0, random.below(unsynced.length))
  switch (random.below(4)) {
    case 0:
      return durable
    case 1:
      return Buffer.concat([durable, torn])
    case 2:
      return Buffer.concat([durable, Buffer.alloc(unsynced.length)])
    default:
      return bytes
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

function statsOf({ number, bytes, links }: Inode): BigIntStats {
  const stats: Partial<BigIntStats> = {
    dev: device,
    ino: number,
    nlink: BigInt(links),
    uid: user,
    mode: 0o100600n,
    size: BigInt(bytes.length),
    isFile: () => true,
    isDirectory: () => false,
    isSymbolicLink: () => false,
  }
  return stats as BigIntStats
}
