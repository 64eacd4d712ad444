/** CRC-64/NVME as S3 writes it: base64 of eight bytes, the highest first. */
import { StoreError } from '../store-error.js'

/** From unsigned decimal. */
export function encodeCrc(decimal: string): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(decimal))
  return bytes.toString('base64')
}

/** To unsigned decimal; undefined when the server said none. */
export function decodeCrc(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  if (!/^[A-Za-z0-9+/]{11}=$/.test(text)) {
    throw new StoreError("The server's answer has no usable CRC-64.", {
      kind: 'response',
    })
  }
  return Buffer.from(text, 'base64').readBigUInt64BE().toString()
}
