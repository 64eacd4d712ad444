/**
 * The files of a fleet, whose bytes follow from their number, and their objects: each
 * is read where the server has it and held against those bytes, a million in a minute.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import OSS from 'ali-oss'
import type { DevServer } from '../../../lib/dev-server/index.js'
import { decodeDone, keyIn } from '../../../lib/fleet/manifest.js'
import { PlainCrc64 } from '../../support/crc64.js'
import { bucket, keys, noise } from '../../support/dev-store.js'

const MiB = 1024 * 1024
/** Bytes that are compared at once. */
const pieceSize = 8 * MiB
/** Files of one directory. */
const together = 100

/** How many files of how many bytes each. */
export type FleetSizes = readonly (readonly [count: number, bytes: number])[]

export class FleetFiles {
  readonly root: string
  readonly count: number
  readonly #sizes: FleetSizes
  readonly #block = noise(pieceSize + MiB)

  constructor(root: string, sizes: FleetSizes) {
    this.root = root
    this.#sizes = sizes
    this.count = sizes.reduce((sum, [count]) => sum + count, 0)
  }

  /** Of those of at least so many bytes. */
  countFrom(least: number): number {
    const large = this.#sizes.filter(([, bytes]) => bytes >= least)
    return large.reduce((sum, [count]) => sum + count, 0)
  }

  /** Below the root. `n` is from 0. */
  pathOf(n: number): string {
    return `${Math.floor(n / together)}/file-${n}`
  }

  /** Undefined for the path of none. */
  numberOf(path: string): number | undefined {
    const n = Number(/\/file-(\d+)$/.exec(path)?.[1])
    return n < this.count && this.pathOf(n) === path ? n : undefined
  }

  sizeOf(n: number): number {
    let rest = n
    for (const [count, bytes] of this.#sizes) {
      if (rest < count) return bytes
      rest -= count
    }
    throw new RangeError(`there is no file ${n}`)
  }

  /** Its bytes, which no other file of the same size has in a million. */
  *pieces(n: number): Generator<Buffer> {
    const bytes = this.sizeOf(n)
    for (let at = 0; at < bytes; at += pieceSize) {
      const from = ((n + at / MiB) * 97) % MiB
      yield this.#block.subarray(from, from + Math.min(pieceSize, bytes - at))
    }
  }

  write(): void {
    for (let n = 0; n < this.count; n++) {
      const path = join(this.root, this.pathOf(n))
      if (n % together === 0) mkdirSync(dirname(path), { recursive: true })
      const file = openSync(path, 'wx')
      for (const piece of this.pieces(n)) writeSync(file, piece)
      closeSync(file)
    }
  }

  /** The CRC-64 of what is at a path; undefined unless it is that file's bytes. */
  crc64Of(n: number, path: string): string | undefined {
    const crc = new PlainCrc64()
    const file = openSync(path, 'r')
    try {
      for (const piece of this.pieces(n)) {
        const read = readSync(file, this.#read, 0, piece.length, null)
        const bytes = this.#read.subarray(0, read)
        if (!piece.equals(bytes)) return undefined
        crc.update(bytes)
      }
      const isMore = readSync(file, this.#read, 0, 1, null) > 0
      return isMore ? undefined : crc.digest()
    } finally {
      closeSync(file)
    }
  }

  readonly #read = Buffer.allocUnsafe(pieceSize)
}

/** What became of some files. */
export interface FleetOutcomes {
  server: DevServer
  files: FleetFiles
  fleet: string
  /** Slices of the fleet. */
  slices: number
  /** Of all keys. */
  prefix: string
}

/**
 * What is wrong with the objects of a fleet, and with what it says of them: each file
 * is told once, its object has its bytes, and the CRC-64 that was told is theirs.
 */
export async function wrongObjects({
  server,
  files,
  fleet,
  slices,
  prefix,
}: FleetOutcomes): Promise<string[]> {
  const told = new Uint8Array(files.count)
  const wrong: string[] = []
  const check = (key: string, crc64: string | undefined): void => {
    const n = files.numberOf(key.slice(prefix.length))
    const path = server.objectPath(bucket, key)
    if (n === undefined) wrong.push(`${key}: no file is to become it`)
    else if (told[n] === 1) wrong.push(`${key}: told twice`)
    else if (path === undefined) wrong.push(`${key}: there is no such object`)
    else if (crc64 === undefined) wrong.push(`${key}: told without its CRC-64`)
    else if (files.crc64Of(n, path) !== crc64) wrong.push(`${key}: differs`)
    if (n !== undefined) told[n] = 1
  }
  for (let slice = 1; slice <= slices; slice++) {
    const path = server.objectPath(bucket, keyIn(fleet, 'done', slice))
    const text = path === undefined ? '' : readFileSync(path, 'utf8')
    for (const { key, crc64 } of decodeDone(text, { fleet, slice })) {
      check(key, crc64)
    }
    // The server is in this process, and its connections are to live.
    await turn()
  }
  for (const [n, isTold] of told.entries()) {
    if (isTold === 0) wrong.push(`${prefix}${files.pathOf(n)}: missing`)
  }
  return wrong
}

/** Objects that another client gets otherwise than their files are, of so many. */
export async function wrongAnswers(
  { server, files, prefix }: FleetOutcomes,
  sample: number,
): Promise<string[]> {
  const { endpoint } = server
  const region = 'oss-cn-hangzhou'
  const how = { region, bucket, ...keys, authorizationV4: true }
  const client = new OSS({ endpoint, ...how })
  const wrong: string[] = []
  const step = Math.max(1, Math.ceil(files.count / sample))
  for (let n = 0; n < files.count; n += step) {
    const path = files.pathOf(n)
    // A Buffer has no room for the largest.
    if (files.sizeOf(n) > 64 * MiB) continue
    const { content } = await client.get(`${prefix}${path}`)
    const source = readFileSync(join(files.root, path))
    if (!content.equals(source)) wrong.push(path)
  }
  return wrong
}
