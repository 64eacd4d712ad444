/** Digests that are there at once, so that every schedule takes the same turns. */
import { createHash } from 'node:crypto'
import hashWasm from 'hash-wasm/dist/crc64.umd.min.js'
import type { Crc64Variant, RunningDigest } from '../../lib/hash/crc64.js'
import type { DigestKind } from '../../lib/hash/digest.js'
import type { UploadEnvironment } from '../../lib/upload/options/environment.js'

const crcs = {
  crc64ecma: await hashWasm.createCRC64('c96c5795d7870f42'),
  crc64nvme: await hashWasm.createCRC64('9a6c9329ac4bc9b5'),
}

/** Unsigned decimal. */
export function crc64(variant: Crc64Variant, bytes: Uint8Array): string {
  const hasher = crcs[variant]
  hasher.init()
  hasher.update(bytes)
  return BigInt(`0x${hasher.digest('hex')}`).toString()
}

export function md5(bytes: Uint8Array): Buffer {
  return createHash('md5').update(bytes).digest()
}

function digest(kind: DigestKind, bytes: Uint8Array): string {
  if (kind === 'crc64ecma' || kind === 'crc64nvme') return crc64(kind, bytes)
  const hash = createHash(kind).update(bytes)
  return hash.digest(kind === 'md5' ? 'base64' : 'hex')
}

function create(kind: DigestKind): RunningDigest {
  const gathered: Uint8Array[] = []
  return {
    update: (data) => void gathered.push(Uint8Array.from(data)),
    digest: () => digest(kind, Buffer.concat(gathered)),
  }
}

/** What uploads in a schedule work their digests out with. */
export const digests: UploadEnvironment['digests'] = {
  digest: async (kind, ...pieces) => digest(kind, Buffer.concat(pieces)),
  beside: async (kind) => {
    const running = create(kind)
    return {
      update: async (data) => running.update(data),
      digest: async () => running.digest(),
    }
  },
  create: async (kind) => create(kind),
  warmUp: () => undefined,
}
