/** Listing in pages with prefix and delimiter, the same for all listings. */
export interface PageOptions<T> {
  readonly prefix: string
  readonly delimiter: string
  readonly max: number
  keyOf(item: T): string
  /** Is the item beyond the marker? */
  isAfter(item: T): boolean
  /** A common prefix that was the last thing on the page before. */
  readonly lastPrefix: string | undefined
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly prefixes: readonly string[]
  readonly isTruncated: boolean
  /** The last item, or the common prefix that came last. */
  readonly last: { item: T } | { prefix: string } | undefined
}

/** By the bytes of their UTF-8, which is not the order of JavaScript. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** Takes a page of sorted items. */
export function takePage<T>(
  sorted: readonly T[],
  options: PageOptions<T>,
): Page<T> {
  const { prefix, delimiter, max, lastPrefix } = options
  const items: T[] = []
  const prefixes: string[] = []
  let last: Page<T>['last']
  for (const item of sorted) {
    const key = options.keyOf(item)
    if (!key.startsWith(prefix) || !options.isAfter(item)) continue
    if (lastPrefix !== undefined && key.startsWith(lastPrefix)) continue
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    const common = end < 0 ? undefined : key.slice(0, end + delimiter.length)
    if (common !== undefined && common === prefixes.at(-1)) continue
    if (items.length + prefixes.length >= max) {
      return { items, prefixes, isTruncated: max > 0, last }
    }
    if (common === undefined) {
      items.push(item)
      last = { item }
    } else {
      prefixes.push(common)
      last = { prefix: common }
    }
  }
  return { items, prefixes, isTruncated: false, last }
}
