/**
 * Percent-encoding over bytes. Nothing here normalises: a path keeps its `.`,
 * `..` and `//`, and `+` is a plus sign, never a space.
 */

const unreserved = /[A-Za-z0-9\-_.~]/
const table = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  return unreserved.test(character)
    ? character
    : '%' + byte.toString(16).toUpperCase().padStart(2, '0')
})
const slash = 0x2f
const percent = 0x25

/** Encodes text (as UTF-8) or bytes; `/` stays as it is when `keepSlash`. */
export function percentEncode(
  value: string | Uint8Array,
  keepSlash = false,
): string {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  let text = ''
  for (const byte of bytes) {
    text += keepSlash && byte === slash ? '/' : (table[byte] ?? '')
  }
  return text
}

/** The bytes that `raw` stands for; undefined if a `%` is malformed. */
export function percentDecode(raw: string): Buffer | undefined {
  const bytes = Buffer.from(raw, 'latin1')
  let length = 0
  for (let i = 0; i < bytes.length; i++) {
    let byte = bytes[i] ?? 0
    if (byte === percent) {
      const hex = raw.slice(i + 1, i + 3)
      if (!/^[0-9A-Fa-f]{2}$/.test(hex)) return undefined
      byte = parseInt(hex, 16)
      i += 2
    }
    bytes[length++] = byte
  }
  return bytes.subarray(0, length)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text of percent-encoded UTF-8; undefined if it is not that. */
export function percentDecodeText(raw: string): string | undefined {
  const bytes = percentDecode(raw)
  if (bytes === undefined) return undefined
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}
