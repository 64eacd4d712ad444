/**
 * Where the log of an upload goes when the command line does not say it: beside
 * the file, or in the working directory for a stream, as the library has it;
 * where that cannot be written, in the state directory. A log that is there
 * already is gone on with, wherever it is.
 */
import { randomUUID } from 'node:crypto'
import { open, readdir, unlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { readCheckpoint } from '../index.js'
import { sha256 } from '../hash/sha256.js'
import { systemCode } from '../realm.js'
import { makeStateDirectory, stateDirectory } from './state-directory.js'

export interface LogPlaceOptions {
  /** The store's identity. */
  identity: string
  key: string
  /** A path; undefined for a stream. */
  path?: string
}

export class LogPlaces {
  readonly #writable = new Map<string, Promise<boolean>>()
  readonly #logged = new Map<string, Promise<ReadonlySet<string> | undefined>>()
  /** Worked out once: ten thousand files are looked for in one reading of it. */
  readonly #state = stateDirectory()
  /** Names in the state directory. */
  #kept: Promise<ReadonlySet<string>> | undefined

  /** The path of a log in the state directory; undefined when there is none. */
  async existing(options: LogPlaceOptions): Promise<string | undefined> {
    const names = await (this.#kept ??= namesIn(this.#state))
    if (names.size === 0) return undefined
    const name = nameOf(options)
    return names.has(name) ? join(this.#state, name) : undefined
  }

  /** A path for the log; undefined: where the library puts it. */
  async find(options: LogPlaceOptions): Promise<string | undefined> {
    const { path } = options
    const other = await this.existing(options)
    if (other !== undefined) return other
    const directory = path === undefined ? '.' : dirname(resolve(path))
    if (await this.#canWrite(directory)) return undefined
    try {
      return join(await makeStateDirectory(), nameOf(options))
    } catch {
      // The library says that the log cannot be written where it belongs.
      return undefined
    }
  }

  /** Whether an upload of the file was begun, and left a log where logs go. */
  async hasLog(options: LogPlaceOptions & { path: string }): Promise<boolean> {
    const { path } = options
    if ((await this.existing(options)) !== undefined) return true
    const full = resolve(path)
    const directory = dirname(full)
    const asked = this.#logged.get(directory) ?? filesWithLogs(directory)
    this.#logged.set(directory, asked)
    const logged = await asked
    // What is wrong with it is told by who opens the log.
    if (logged === undefined) return true
    if (logged.size === 0) return false
    return logged.has(basename(full)) || logged.has('')
  }

  /**
   * An unfinished upload of the file to the same key of a bucket of the same name,
   * under another host name: perhaps the same bucket, whose parts would be left.
   */
  async ofOtherHost({
    path,
    bucket,
    key,
    identity,
  }: LogPlaceOptions & { path: string; bucket: string }): Promise<
    { log: string; store: string } | undefined
  > {
    const full = resolve(path)
    const name = basename(full)
    const names = (await readdir(dirname(full)).catch(() => [])).filter(
      (one) => logEnding.test(one) && one.replace(logEnding, '') === name,
    )
    for (const one of names) {
      const log = join(dirname(full), one)
      // One that cannot be read says nothing of a host.
      const said = await readCheckpoint(log).catch(() => undefined)
      const isOpen = said?.state === 'uploading' || said?.state === 'completing'
      const store = said?.store
      if (!isOpen || store === undefined || store === identity) continue
      const isSameKind = store.split(':')[0] === identity.split(':')[0]
      if (isSameKind && said.bucket === bucket && said.key === key) {
        return { log, store }
      }
    }
    return undefined
  }

  #canWrite(directory: string): Promise<boolean> {
    const known = this.#writable.get(directory)
    if (known !== undefined) return known
    const asked = canWrite(directory)
    this.#writable.set(directory, asked)
    return asked
  }
}

/** What a log beside its file has after the file's name; long names go without. */
export const logEnding = /(?:^|\.)[0-9a-f]{32}\.pawl$/

/**
 * Names of the files that have a log beside them; empty for a long one. Undefined
 * where they cannot be listed.
 */
async function filesWithLogs(
  directory: string,
): Promise<ReadonlySet<string> | undefined> {
  const names = await readdir(directory).catch((error: unknown) =>
    systemCode(error) === 'ENOENT' ? [] : undefined,
  )
  if (names === undefined) return undefined
  return new Set(
    names
      .filter((name) => logEnding.test(name))
      .map((name) => name.replace(logEnding, '')),
  )
}

function nameOf({ identity, key, path }: LogPlaceOptions): string {
  const source = path === undefined ? '-' : resolve(path)
  const names = JSON.stringify([identity, key, source])
  return `${sha256(names).slice(0, 32)}.pawl`
}

async function namesIn(directory: string): Promise<ReadonlySet<string>> {
  return new Set(await readdir(directory).catch(() => []))
}

/** Tried, since permissions do not say it: file systems may be read-only. */
async function canWrite(directory: string): Promise<boolean> {
  const path = join(directory, `.pawl-${randomUUID()}`)
  try {
    const handle = await open(path, 'wx', 0o600)
    await handle.close()
    await unlink(path)
    return true
  } catch {
    return false
  }
}
