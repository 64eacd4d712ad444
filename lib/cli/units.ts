/** Sizes and times as people write and read them. */
import { InvalidArgumentError } from 'commander'

const sizes: Record<string, number> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/** `8388608`, `8M`, `8MiB` and `8MB` are the same number of bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim())
  const factor = sizes[match?.[2]?.toLowerCase() ?? '-']
  if (match === null || factor === undefined) {
    throw new InvalidArgumentError('Expected bytes, such as 8388608 or 8MiB.')
  }
  const bytes = Math.round(Number(match[1]) * factor)
  if (Number.isSafeInteger(bytes)) return bytes
  throw new InvalidArgumentError('Too large.')
}

const durations: Record<string, number> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}

/** `90s`, `15m`, `12h`, `7d` or `2w`, in ms. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([smhdw])$/i.exec(text.trim())
  const factor = durations[match?.[2]?.toLowerCase() ?? '']
  if (match === null || factor === undefined) {
    throw new InvalidArgumentError('Expected a time, such as 90s, 12h or 7d.')
  }
  return Math.round(Number(match[1]) * factor)
}

export function parseWholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number.')
}

/** `1 part`, `2 parts`. */
export function countOf(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)} ${units[unit]}`
}

/** `59s`, `3m20s`, `2h05m`, `3d04h`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const two = (value: number) => String(value).padStart(2, '0')
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m${two(seconds % 60)}s`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours}h${two(minutes % 60)}m`
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`
}
