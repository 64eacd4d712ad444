import { createHash, type Hash } from 'node:crypto'
import { createCRC32, createCRC64, type IHasher } from 'hash-wasm'

export const digestNames = [
  'md5',
  'crc64ecma',
  'sha256',
  'sha1',
  'crc32',
  'crc32c',
  'crc64nvme',
] as const

export type DigestName = (typeof digestNames)[number]

/** Finished digests, in lower-case hex. */
export type Digests = Readonly<Partial<Record<DigestName, string>>>

const wasm: Partial<Record<DigestName, () => Promise<IHasher>>> = {
  crc64ecma: () => createCRC64('c96c5795d7870f42'),
  crc64nvme: () => createCRC64('9a6c9329ac4bc9b5'),
  crc32: () => createCRC32(0xedb88320),
  crc32c: () => createCRC32(0x82f63b78),
}

/** Hashers in WebAssembly that nobody uses now: making one is expensive. */
const idle = new Map<DigestName, IHasher[]>()

/**
 * Several digests of the same bytes. `release` must follow, whether or not
 * `finish` was called, or the hashers are lost for the next user.
 */
export class DigestSet {
  readonly #node: [DigestName, Hash][] = []
  readonly #wasm: [DigestName, IHasher][] = []

  static async create(names: Iterable<DigestName>): Promise<DigestSet> {
    const set = new DigestSet()
    for (const name of new Set(names)) {
      const make = wasm[name]
      if (make === undefined) set.#node.push([name, createHash(name)])
      else set.#wasm.push([name, idle.get(name)?.pop() ?? (await make())])
    }
    for (const [, hasher] of set.#wasm) hasher.init()
    return set
  }

  update(chunk: Uint8Array): void {
    for (const [, hash] of this.#node) hash.update(chunk)
    for (const [, hasher] of this.#wasm) hasher.update(chunk)
  }

  finish(): Digests {
    const digests: Partial<Record<DigestName, string>> = {}
    for (const [name, hash] of this.#node) digests[name] = hash.digest('hex')
    for (const [name, hasher] of this.#wasm) digests[name] = hasher.digest()
    return digests
  }

  release(): void {
    for (const [name, hasher] of this.#wasm.splice(0)) {
      const list = idle.get(name) ?? []
      list.push(hasher)
      idle.set(name, list)
    }
  }
}

/** Unsigned decimal, as OSS writes its CRC-64. */
export function hexToDecimal(hex: string): string {
  return BigInt('0x' + hex).toString()
}

/** As S3 writes its checksums. */
export function hexToBase64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}
