/**
 * CRC-64 as object stores use it: reflected, all ones in and out. OSS's
 * "crc64ecma" is CRC-64/XZ, S3's is CRC-64/NVME; they differ in the polynomial.
 *
 * Values are unsigned decimal strings everywhere outside this folder, since
 * that is how OSS writes them and a `number` cannot hold them.
 */
import type { IHasher } from 'hash-wasm'
import { UploadError } from '../errors.js'
import { LatePackage } from '../late-package.js'
import { reasonOf } from '../realm.js'

/** Which polynomial. */
export type Crc64Variant = 'crc64ecma' | 'crc64nvme'

const polynomials: Record<Crc64Variant, string> = {
  crc64ecma: 'c96c5795d7870f42',
  crc64nvme: '9a6c9329ac4bc9b5',
}

/** A digest over bytes that come one after the other; `digest()` is called once. */
export interface RunningDigest {
  update(data: Uint8Array): void
  digest(): string
}

/** Spelled out: users' compilers see no types of the file that has it. */
interface Crc64Package {
  readonly createCRC64: (polynomial: string) => Promise<IHasher>
}

const latePackage = new LatePackage<Crc64Package>(
  'hash-wasm/dist/crc64.umd.min.js',
  async () => {
    const loaded = await import(
      /* webpackMode: "eager" */ 'hash-wasm/dist/crc64.umd.min.js'
    )
    return loaded.default
  },
)

/** Makes CRC-64s, and keeps their hashers for the next: each is a WebAssembly instance. */
export class Crc64Hashers {
  readonly #idle: Record<Crc64Variant, IHasher[]> = {
    crc64ecma: [],
    crc64nvme: [],
  }
  readonly #package: Pick<LatePackage<Crc64Package>, 'load'>

  /** `late`: where they come from. */
  constructor(late: Pick<LatePackage<Crc64Package>, 'load'> = latePackage) {
    this.#package = late
  }

  /** Rejects with `PAWL_SOURCE_IO` when the package cannot be read; the next call tries again. */
  async create(variant: Crc64Variant): Promise<RunningDigest> {
    const idle = this.#idle[variant]
    const hasher = idle.pop() ?? (await this.#make(variant))
    hasher.init()
    return {
      update: (data) => void hasher.update(data),
      digest() {
        const value = BigInt('0x' + hasher.digest('hex')).toString()
        idle.push(hasher)
        return value
      },
    }
  }

  async #make(variant: Crc64Variant): Promise<IHasher> {
    const { createCRC64 } = await this.#package
      .load()
      .catch((cause: unknown) => {
        const text = `a CRC-64 cannot be worked out without hash-wasm, which could not be loaded (${reasonOf(cause)})`
        throw new UploadError('PAWL_SOURCE_IO', text, { cause })
      })
    return createCRC64(polynomials[variant])
  }
}

/** One run of bytes of a larger whole. */
export interface Crc64Piece {
  /** Unsigned decimal. */
  crc64: string
  /** Bytes. */
  size: number
}

/**
 * The CRC-64 of pieces put one after the other, from their CRCs alone.
 *
 * Appending n zero bytes multiplies the state by x^(8n) modulo the polynomial;
 * the initial and final inversions cancel out, so
 * `crc(a‖b) = x^(8·|b|)·crc(a) xor crc(b)`.
 */
export function combineCrc64(
  variant: Crc64Variant,
  pieces: Iterable<Crc64Piece>,
): string {
  const polynomial = BigInt('0x' + polynomials[variant])
  const shifts = new Map<number, Uint32Array>()
  const whole = new Uint32Array(2)
  for (const { crc64: crc, size } of pieces) {
    let shift = shifts.get(size)
    if (shift === undefined) {
      shift = multiplesOf(powerOfX(BigInt(size) * 8n, polynomial), polynomial)
      shifts.set(size, shift)
    }
    append(whole, shift, BigInt(crc))
  }
  const [high = 0, low = 0] = whole
  return ((BigInt(high) << 32n) | BigInt(low)).toString()
}

/** Of a factor, times x^0 to x^63: the high and the low half of each. */
function multiplesOf(factor: bigint, polynomial: bigint): Uint32Array {
  const halves = new Uint32Array(128)
  let multiple = factor
  for (let at = 0; at < halves.length; at += 2) {
    halves[at] = Number(multiple >> 32n)
    halves[at + 1] = Number(multiple & 0xffff_ffffn)
    multiple = timesX(multiple, polynomial)
  }
  return halves
}

/**
 * Multiplies `whole` and adds a CRC, both as halves: ten thousand products of 64 steps
 * with a `bigint` each would leave 70 MiB behind. `shift`: the factor's multiples.
 */
function append(whole: Uint32Array, shift: Uint32Array, crc: bigint): void {
  let high = Number(crc >> 32n)
  let low = Number(crc & 0xffff_ffffn)
  for (let power = 0; power < 64; power++) {
    // Reflected notation: the top bit of the high half is x^0.
    const word = whole[power >> 5] ?? 0
    if (word << (power & 31) >= 0) continue
    high ^= shift[2 * power] ?? 0
    low ^= shift[2 * power + 1] ?? 0
  }
  whole[0] = high
  whole[1] = low
}

const one = 1n << 63n

/** The product with x in reflected notation: bit 63 is x^0. */
function timesX(factor: bigint, polynomial: bigint): bigint {
  const shifted = factor >> 1n
  return (factor & 1n) === 0n ? shifted : shifted ^ polynomial
}

function multiply(a: bigint, b: bigint, polynomial: bigint): bigint {
  let product = 0n
  let factor = b
  for (let bit = one; bit !== 0n; bit >>= 1n) {
    if ((a & bit) !== 0n) product ^= factor
    factor = timesX(factor, polynomial)
  }
  return product
}

function powerOfX(exponent: bigint, polynomial: bigint): bigint {
  let result = one
  let square = one >> 1n
  for (let rest = exponent; rest !== 0n; rest >>= 1n) {
    if ((rest & 1n) !== 0n) result = multiply(square, result, polynomial)
    square = multiply(square, square, polynomial)
  }
  return result
}
