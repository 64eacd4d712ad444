/**
 * CRCs of joined bytes from the CRCs of the pieces, by multiplication of
 * polynomials: `crc(a‖b) = x^(8·|b|) · crc(a) xor crc(b)` modulo P. Works for
 * reflected CRCs whose initial value and final xor are all ones.
 */
export type CombinableCrc = 'crc64ecma' | 'crc64nvme' | 'crc32' | 'crc32c'

const polynomials: Record<CombinableCrc, { width: bigint; poly: bigint }> = {
  crc64ecma: { width: 64n, poly: 0xc96c5795d7870f42n },
  crc64nvme: { width: 64n, poly: 0x9a6c9329ac4bc9b5n },
  crc32: { width: 32n, poly: 0xedb88320n },
  crc32c: { width: 32n, poly: 0x82f63b78n },
}

export function isCombinable(name: string): name is CombinableCrc {
  return Object.hasOwn(polynomials, name)
}

/** Combines pieces in order; CRCs in and out as hex. */
export function combineCrc(
  name: CombinableCrc,
  pieces: Iterable<{ crc: string; size: number }>,
): string {
  const { width, poly } = polynomials[name]
  const top = 1n << (width - 1n)
  /** Shifts by length: parts are nearly always of one size. */
  const shifts = new Map<number, bigint>()
  let crc = 0n
  for (const { crc: piece, size } of pieces) {
    let shift = shifts.get(size)
    if (shift === undefined) {
      shift = power(BigInt(size) * 8n)
      shifts.set(size, shift)
    }
    crc = multiply(shift, crc) ^ BigInt('0x' + piece)
  }
  return crc.toString(16).padStart(Number(width) / 4, '0')

  /** x^n; in reflected notation the top bit is x^0 and the next is x^1. */
  function power(n: bigint): bigint {
    let result = top
    let square = top >> 1n
    for (let left = n; left > 0n; left >>= 1n) {
      if ((left & 1n) === 1n) result = multiply(result, square)
      square = multiply(square, square)
    }
    return result
  }

  function multiply(a: bigint, b: bigint): bigint {
    let product = 0n
    let factor = b
    for (let bit = top; bit > 0n; bit >>= 1n) {
      if ((a & bit) !== 0n) product ^= factor
      factor = (factor & 1n) === 1n ? (factor >> 1n) ^ poly : factor >> 1n
    }
    return product
  }
}
