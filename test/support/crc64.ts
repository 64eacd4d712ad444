/**
 * CRC-64/XZ, which OSS calls crc64ecma, by its table: the library and the dev server
 * take theirs from one package, and what is compared with itself shows nothing.
 */
const low = new Int32Array(256)
const high = new Int32Array(256)
const polynomial = { low: 0xd7870f42, high: 0xc96c5795 }

for (let n = 0; n < 256; n++) {
  let [lower, upper] = [n, 0]
  for (let bit = 0; bit < 8; bit++) {
    const isOdd = (lower & 1) === 1
    lower = (lower >>> 1) | (upper << 31)
    upper >>>= 1
    if (isOdd) {
      lower ^= polynomial.low
      upper ^= polynomial.high
    }
  }
  low[n] = lower
  high[n] = upper
}

/** Of bytes that come one after the other. */
export class PlainCrc64 {
  #low = -1
  #high = -1

  update(bytes: Uint8Array): void {
    let lower = this.#low
    let upper = this.#high
    for (let i = 0; i < bytes.length; i++) {
      const n = (lower ^ Number(bytes[i])) & 255
      lower = ((lower >>> 8) | (upper << 24)) ^ Number(low[n])
      upper = (upper >>> 8) ^ Number(high[n])
    }
    this.#low = lower
    this.#high = upper
  }

  /** Unsigned, in decimal. */
  digest(): string {
    const value = (BigInt(~this.#high >>> 0) << 32n) | BigInt(~this.#low >>> 0)
    return value.toString()
  }
}
