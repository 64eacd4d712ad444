/**
 * The files of a list, for a plan: CSV of one's own, or the inventory of a bucket.
 * A list is input: one row at a time is in memory, and whatever is not a file below a
 * root ends it, since a plan without that row would pass for whole.
 */
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type * as csvModule from 'csv-parse'
import { invalidOption, UploadError } from '../errors.js'
import { filePath, type FilePath } from '../file-path.js'
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import { requireOrImport } from '../own-require.js'
import { messageOf, systemCode } from '../realm.js'
import { aFunction, optional } from '../upload/options/settings.js'
import type { PlannedFile } from './plan-fleet.js'

/** How a list is read. */
export interface InventoryFilesOptions {
  /**
   * The names of its columns, with commas: the `fileSchema` of an inventory's
   * `manifest.json`. Default: they are its first row.
   */
  columns?: string
  /** Hears of rows that are passed over, and why. */
  onSkipped?: (path: string, why: string) => void
}

const names: NamesOf<InventoryFilesOptions> = { columns: true, onSkipped: true }

/** Bytes of one row: a path and a key, as they are encoded, and room for more. */
const mostOfRow = 64 * 1024
/** Of what is quoted in an error. */
const mostQuoted = 200

/**
 * The files of a list in CSV, packed by gzip or not: of `path`, `size` and where they
 * are known `mtime` and `key`, or the `Key` and `Size` of an inventory of S3 or OSS,
 * whose objects are files of the same names below the root. The same list gives the same
 * order each time.
 *
 * Ends with `PAWL_INVALID_OPTION` at a row that is no file below a root, and with
 * `PAWL_SOURCE_IO` when the list cannot be read. Needs `csv-parse`.
 *
 * @example
 * const files = inventoryFiles('inventory.csv.gz', { columns: 'Bucket, Key, Size' })
 */
export async function* inventoryFiles(
  list: FilePath | AsyncIterable<Uint8Array>,
  options: InventoryFilesOptions = {},
): AsyncGenerator<PlannedFile, void, undefined> {
  checkKnownOptions(options, {
    of: 'inventoryFiles',
    names: Object.keys(names),
  })
  const { columns, onSkipped } = options
  optional(onSkipped, (value) => aFunction('onSkipped', value))
  let places = columns === undefined ? undefined : placesOf(columns.split(','))
  for await (const row of rowsOf(list)) {
    if (places === undefined) {
      places = placesOf(row.fields)
      continue
    }
    const { file, skipped } = fileOf(row, places)
    if (skipped === undefined) yield file
    else onSkipped?.(file.path, skipped)
  }
  if (places === undefined) throw mistake('the list is empty')
}

interface Row {
  /** From 1; of its end. */
  line: number
  fields: readonly string[]
}

async function* rowsOf(
  list: FilePath | AsyncIterable<Uint8Array>,
): AsyncGenerator<Row> {
  const { parse } = await load()
  const parser = parse({
    bom: true,
    info: true,
    max_record_size: mostOfRow,
    // How many fields a row has is compared here, with the names of columns.
    relax_column_count: true,
    skip_empty_lines: true,
  })
  // A failure of the source ends the parser, and so the loop.
  pipeline(unpacked(bytesOf(list)), parser, () => undefined)
  try {
    for await (const one of parser as AsyncIterable<{
      record: string[]
      info: { lines: number }
    }>) {
      yield { line: one.info.lines, fields: one.record }
    }
  } catch (cause) {
    if (cause instanceof UploadError) throw cause
    const why = messageOf(cause).slice(0, mostQuoted)
    if (/^(?:CSV_|INVALID_)/.test(systemCode(cause))) {
      throw mistake(`the list is no CSV: ${why}`, cause)
    }
    throw new UploadError('PAWL_SOURCE_IO', `the list cannot be read: ${why}`, {
      cause,
    })
  }
}

type CsvParse = Pick<typeof csvModule, 'parse'>

/** Only who reads lists has it, so that bundlers must not look for it. */
async function load(): Promise<CsvParse> {
  const name = 'csv-parse'
  const loaded = await requireOrImport(name).catch((error: unknown) => {
    const isMissing = /^(?:ERR_)?MODULE_NOT_FOUND$/.test(systemCode(error))
    if (!isMissing) throw error
    return invalidOption(
      `a list is read by ${name}: install it beside pawl, by npm install ${name}`,
    )
  })
  if (isCsvParse(loaded)) return loaded
  return invalidOption(`${name} has no function parse`)
}

function isCsvParse(loaded: unknown): loaded is CsvParse {
  return typeof Reflect.get(Object(loaded), 'parse') === 'function'
}

function bytesOf(
  list: FilePath | AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  return typeof list === 'object' &&
    list !== null &&
    Symbol.asyncIterator in list
    ? list
    : createReadStream(
        filePath(list, 'inventoryFiles(list): a path, or bytes, are required'),
      )
}

/** Gzip is known by its first two bytes. */
async function* unpacked(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const chunks = bytes[Symbol.asyncIterator]()
  let first = Buffer.alloc(0)
  let isEnded = false
  while (first.length < 2 && !isEnded) {
    const { done, value } = await chunks.next()
    isEnded = done === true
    if (value !== undefined) first = Buffer.concat([first, value])
  }
  const all = (async function* () {
    yield first
    yield* { [Symbol.asyncIterator]: () => chunks }
  })()
  const isPacked = first[0] === 0x1f && first[1] === 0x8b
  yield* isPacked ? pipeline(all, createGunzip(), () => undefined) : all
}

const known = [
  'path',
  'key',
  'size',
  'mtime',
  'islatest',
  'isdeletemarker',
] as const
type Name = (typeof known)[number]

/** Where in a row which column is. */
interface Places {
  count: number
  at: ReadonlyMap<Name, number>
}

function placesOf(columns: readonly string[]): Places {
  const all = columns.map((name) => name.trim().toLowerCase())
  const at = new Map<Name, number>()
  for (const name of known) {
    const index = all.indexOf(name)
    if (index < 0) continue
    if (all.lastIndexOf(name) !== index) {
      throw mistake(`two columns of the list are called ${name}`)
    }
    at.set(name, index)
  }
  if (at.has('size') && (at.has('path') || at.has('key'))) {
    return { count: all.length, at }
  }
  throw mistake(
    `the list needs the columns path and size, or Key and Size of an inventory, and has ${quoted(columns.join(','))}; of a list without a row of names they have to be given, as the fileSchema of its manifest.json has them`,
  )
}

function fileOf(
  { line, fields }: Row,
  { count, at }: Places,
): { file: PlannedFile; skipped?: string } {
  const of = (name: Name): string | undefined => {
    const index = at.get(name)
    return index === undefined ? undefined : fields[index]
  }
  const wrong = (what: string): UploadError =>
    mistake(`line ${line} of the list: ${what}`)
  if (fields.length !== count) {
    throw wrong(`${fields.length} fields, and there are ${count} columns`)
  }
  const own = of('path')
  const key = of('key') ?? ''
  const path = own ?? decoded(key)
  if (path === undefined) throw wrong(`${quoted(key)} is not URL-encoded`)
  const skipped = whySkipped(path, of('isdeletemarker'), of('islatest'))
  if (skipped !== undefined) return { file: { path, size: 0 }, skipped }
  if (!isBelow(path)) throw wrong(`${quoted(path)} is no file below a root`)
  const size = of('size') ?? ''
  if (!/^\d{1,15}$/.test(size)) throw wrong(`${quoted(size)} is no size`)
  const time = of('mtime') ?? ''
  const mtime = nanoseconds(time)
  if (time !== '' && mtime === undefined) {
    throw wrong(
      `${quoted(time)} is no time: seconds since 1970 with nine decimals are, as find -printf %T@ has them`,
    )
  }
  return {
    file: {
      path,
      size: Number(size),
      ...(mtime === undefined ? {} : { mtime }),
      ...(own === undefined || key === '' ? {} : { key }),
    },
  }
}

/** Of rows that are no files: all versions are listed of some buckets. */
function whySkipped(
  path: string,
  isDeleteMarker = 'false',
  isLatest = 'true',
): string | undefined {
  if (isDeleteMarker.toLowerCase() === 'true') return 'it was deleted'
  if (isLatest.toLowerCase() === 'false') return 'it is an earlier version'
  return path.endsWith('/') ? 'it is a directory' : undefined
}

/** As inventories have keys: by percent, and a plus for a space. */
function decoded(key: string): string | undefined {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/** A key may be none: `a//b` and `a/./b` would be the file of another key. */
function isBelow(path: string): boolean {
  if (/[\0\uFFFD]/.test(path)) return false
  return path.split('/').every((name) => !['', '.', '..'].includes(name))
}

/** Ten decimals of `find` are nine and a zero. */
function nanoseconds(time: string): string | undefined {
  const [, seconds, rest] = /^(\d{1,11})\.(\d{9})0?$/.exec(time) ?? []
  if (seconds === undefined || rest === undefined) return undefined
  return String(BigInt(`${seconds}${rest}`))
}

function quoted(text: string): string {
  return JSON.stringify(
    text.length > mostQuoted ? `${text.slice(0, mostQuoted)}…` : text,
  )
}

function mistake(text: string, cause?: unknown): UploadError {
  return new UploadError('PAWL_INVALID_OPTION', text, { cause })
}
