/**
 * The files below a directory, in the order of their names, so that a job sees
 * them in the same order each time. One directory's names at a time are in
 * memory. What cannot be looked at is told and passed over.
 */
import { constants, lstat, stat, type BigIntStats } from 'node:fs'
import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { getSystemErrorMap, promisify } from 'node:util'
import { isError, reasonOf } from '../realm.js'
import { UploadError } from '../errors.js'
import { identityOf } from '../upload/source/file-source.js'
import type { Found, JobFile } from './job-file.js'
import type { Selection } from './selection.js'

export interface WalkOptions {
  selection: Selection
  /** Links lead to what they name; else they are passed over. */
  followLinks: boolean
  /** The key of a file, by its path below the directory, with `/`. */
  keyOf: (path: string) => string
  /** Who looks at files; by default the thread pool. */
  looks?: Looks
}

/** Looks at what a name leads to, or at the link itself. */
export interface Looks {
  look(path: string, followLinks: boolean): BigIntStats | Promise<BigIntStats>
}

const pooled = { itself: promisify(lstat), target: promisify(stat) }

export const pooledLooks = {
  look(path: string, followLinks: boolean): Promise<BigIntStats> {
    const look = followLinks ? pooled.target : pooled.itself
    return look(path, { bigint: true })
  },
} satisfies Looks

/** Files that are looked at together: each by itself would wait for a thread. */
const together = 32

/** Names of logs, which are no files of the user's. */
const logName = /(?:^|\.)[0-9a-f]{32}\.pawl$/

export function walk(
  root: string,
  options: WalkOptions,
): AsyncGenerator<Found> {
  return walkFrom({ path: root, below: '', above: new Set() }, options)
}

/** Looks at a file that is named by itself. Rejects with `PAWL_SOURCE_IO`. */
export async function lookAt(path: string, key: string): Promise<JobFile> {
  const time = Date.now()
  return fileOf(path, key, { stats: await statOf(path), time })
}

interface Place {
  path: string
  /** The path below the root, with `/`; empty for the root. */
  below: string
  /** Directories that lead to it: a link back to one would never end. */
  above: ReadonlySet<string>
}

async function* walkFrom(
  { path, below, above }: Place,
  options: WalkOptions,
): AsyncGenerator<Found> {
  const names = await readdir(path).catch((error: unknown) =>
    unreadable(path, error),
  )
  if (names instanceof UploadError) {
    yield { path, error: names }
    return
  }
  names.sort(byCodeUnit)
  const all = new Set(names)
  for (let from = 0; from < names.length; from += together) {
    const some = names.slice(from, from + together)
    const time = Date.now()
    const asked = some.map((name) => lookOrSay(join(path, name), options))
    for (const [i, look] of asked.entries()) {
      const stats = look instanceof Promise ? await look : look
      const name = some[i] ?? ''
      const full = join(path, name)
      const inner = below === '' ? name : `${below}/${name}`
      if (isLog(name, all)) {
        yield { path: full, skipped: 'it is the log of an upload' }
        continue
      }
      const place = { path: full, below: inner, above }
      const one = oneOf(place, { stats, time }, options)
      if (one === undefined) continue
      if ('above' in one) yield* walkFrom(one, options)
      else yield one
    }
  }
}

/** What a name leads to, as it was looked at. */
interface Look {
  stats: BigIntStats | UploadError
  /** ms since 1970; not later than it. */
  time: number
}

/** What is found there, or a directory to go into; undefined for what is not meant. */
function oneOf(
  place: Place,
  { stats, time }: Look,
  options: WalkOptions,
): Found | Place | undefined {
  const { path, below, above } = place
  const { selection, keyOf } = options
  if (stats instanceof UploadError) {
    return selection.hasFile(below) ? { path, error: stats } : undefined
  }
  if (stats.isDirectory()) {
    if (!selection.entersDirectory(below)) return undefined
    const id = `${stats.dev} ${stats.ino}`
    if (above.has(id)) {
      return { path, skipped: 'it is a link to a directory that it is in' }
    }
    return { path, below, above: new Set([...above, id]) }
  }
  if (!selection.hasFile(below)) return undefined
  if (stats.isFile()) {
    return below.includes('\uFFFD')
      ? { path, error: notText(path) }
      : { file: fileOf(path, keyOf(below), { stats, time }) }
  }
  return {
    path,
    skipped: stats.isSymbolicLink()
      ? 'it is a link; --follow-links takes what it leads to'
      : 'it is no regular file',
  }
}

function lookOrSay(
  path: string,
  { followLinks, looks = pooledLooks }: WalkOptions,
): BigIntStats | UploadError | Promise<BigIntStats | UploadError> {
  const say = (error: unknown): UploadError => unreadable(path, error)
  try {
    const seen = looks.look(path, followLinks)
    return seen instanceof Promise ? seen.catch(say) : seen
  } catch (error) {
    return say(error)
  }
}

async function statOf(path: string): Promise<BigIntStats> {
  try {
    const stats = await pooled.target(path, { bigint: true })
    await access(path, constants.R_OK)
    return stats
  } catch (error) {
    throw unreadable(path, error)
  }
}

function fileOf(
  path: string,
  key: string,
  { stats, time }: { stats: BigIntStats; time: number },
): JobFile {
  const identity = identityOf(stats)
  return { path, key, size: identity.size, identity, time }
}

function isLog(name: string, all: ReadonlySet<string>): boolean {
  if (!logName.test(name)) return false
  const source = name.replace(logName, '')
  return source === '' || all.has(source)
}

/** Of a file to be sent that cannot be looked at. */
export function unreadable(path: string, cause: unknown): UploadError {
  // What is no UTF-8 comes from the system with this in its place, and that is
  // the name of no file.
  if (path.includes('\uFFFD') && reasonOf(cause) === 'ENOENT') {
    return notText(path)
  }
  const text = `${path}: ${whyUnreadable(cause)}`
  return new UploadError('PAWL_SOURCE_IO', text, { cause })
}

/** In words, and as the system has it. */
export function whyUnreadable(cause: unknown): string {
  const code = reasonOf(cause)
  if (code === 'ENOENT') return 'there is no such file'
  const number: unknown = isError(cause) ? Reflect.get(cause, 'errno') : 0
  const [, words] = getSystemErrorMap().get(Number(number)) ?? []
  return words === undefined ? code : `${words} (${code})`
}

function notText(path: string): UploadError {
  return new UploadError(
    'PAWL_SOURCE_IO',
    `${path}: its name is not UTF-8, as the name of an object has to be`,
  )
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
