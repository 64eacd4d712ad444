/** `pawl put` of many files: a job, told as a whole. */
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { messageOf } from '../realm.js'
import { UploadError, type UploadFileOptions } from '../index.js'
import { sha256 } from '../hash/sha256.js'
import { hasBytesOf } from '../job/equal.js'
import type { Found, JobFile, Unneeded } from '../job/job-file.js'
import { JobLog } from '../job/job-log.js'
import { headOf } from '../job/head.js'
import { PromptFiles } from '../job/prompt-files.js'
import { runJob } from '../job/run-job.js'
import { selectionOf } from '../job/selection.js'
import { lookAt, unreadable, walk, type Looks } from '../job/walk.js'
import { exitCodeOf, exitCodes, ToldFailure } from './exit-code.js'
import { filesOf } from './file-sends.js'
import type { JobReporter } from './job-reporter.js'
import { LogPlaces } from './log-place.js'
import { plainText } from './plain-text.js'
import { checkpointOf, thresholdOf, uploadOptionsOf } from './put-options.js'
import type { PutJob } from './put-job.js'
import { listenersOf } from './reporter.js'
import { makeStateDirectory } from './state-directory.js'
import { given } from './target.js'

/** Files at once, unless it is said. */
const defaultJobs = 16

/** Whether these files are a job, and not one upload. */
export function isJob({ sources, flags }: PutJob): boolean {
  return (
    sources.length > 1 ||
    flags.recursive === true ||
    flags.include !== undefined ||
    flags.exclude !== undefined ||
    flags.followLinks === true ||
    flags.ifChanged === true ||
    flags.dryRun === true
  )
}

/** Rejects with a `ToldFailure` when files have failed. */
export async function putMany(
  job: PutJob,
  reporter: JobReporter,
): Promise<void> {
  const { flags, target, interrupts } = job
  const disk = new PromptFiles()
  const files = await sourceOf(job, disk)
  const log = flags.dryRun === true ? undefined : await openLog(job)
  const many = new Many(job, reporter, log, disk)
  const over = new AbortController()
  let counted: Promise<void> | undefined
  try {
    await many.check()
    if (reporter.isWatched) {
      counted = tellTotal(files(), reporter, over.signal)
      // A file that cannot be looked at fails where it is to be sent, and is
      // told there.
      counted.catch(() => undefined)
    }
    const { isWhole, stopped } = await runJob(
      files(),
      {
        jobs: flags.jobs ?? defaultJobs,
        isLarge: ({ size }) => size >= thresholdOf(flags, target.store),
        signal: interrupts.signal,
      },
      many,
    )
    const isDone = isWhole && many.failures === 0
    await log?.close(isDone)
    const { received } = interrupts
    reporter.ended({ stopped, received, isWhole })
    if (received !== undefined) throw new ToldFailure(exitCodes[received])
    if (!isDone) throw new ToldFailure(many.exitCode)
  } finally {
    over.abort()
    await counted?.catch(() => undefined)
    reporter.end()
  }
}

/** Counts beside the work, which looks at files only when it has room for them. */
async function tellTotal(
  files: AsyncIterable<Found>,
  reporter: JobReporter,
  over: AbortSignal,
): Promise<void> {
  const total = { files: 0, bytes: 0 }
  for await (const found of files) {
    if (over.aborted) return
    if ('skipped' in found) continue
    total.files += 1
    if ('file' in found) total.bytes += found.file.size
  }
  reporter.expect(total)
}

/** What is sent, and how it is told. */
class Many {
  readonly #job: PutJob
  readonly #reporter: JobReporter
  readonly #log: JobLog | undefined
  /** Of every file. */
  readonly #options: Omit<UploadFileOptions, 'store' | 'key'>
  readonly #places = new LogPlaces()
  readonly #disk: PromptFiles
  failures = 0
  #canGoOn = true

  constructor(
    job: PutJob,
    reporter: JobReporter,
    log: JobLog | undefined,
    disk: PromptFiles,
  ) {
    this.#job = job
    this.#disk = disk
    const { checkpointDir, multipartThreshold, prove } = job.flags
    this.#options = {
      ...uploadOptionsOf(job.flags),
      ...given({ checkpointDir, multipartThreshold, prove }),
    }
    this.#reporter = reporter
    this.#log = log
  }

  /** What all files have in common is looked at before the first one. */
  async check(): Promise<void> {
    const { flags, target } = this.#job
    target.store.fixedHeaders(this.#options.object ?? {})
    const { checkpoint } = flags
    if (typeof checkpoint !== 'string') return
    const stats = await stat(checkpoint).catch(() => undefined)
    if (stats?.isDirectory() === true) return
    throw new UploadError(
      'PAWL_INVALID_OPTION',
      '--checkpoint of several files must be a directory that exists',
    )
  }

  /** 1, or 3 when every failure may be gone when it is tried again. */
  get exitCode(): number {
    return this.failures > 0 && this.#canGoOn
      ? exitCodes.resumable
      : exitCodes.failed
  }

  readonly skipped = (path: string, why: string): void =>
    this.#reporter.skipped(path, why)

  readonly failed = (path: string, error: unknown, file?: JobFile): void => {
    this.failures += 1
    if (exitCodeOf(error, 'file') !== exitCodes.resumable) this.#canGoOn = false
    this.#reporter.failed(path, error, file && this.#urlOf(file))
  }

  readonly send = async (file: JobFile): Promise<void> => {
    const { flags } = this.#job
    const why = await this.#unneeded(file)
    if (why !== undefined) this.#reporter.unneeded(file, this.#urlOf(file), why)
    else if (flags.dryRun === true) {
      this.#reporter.wouldSend(file, this.#urlOf(file))
    } else await this.#upload(file)
  }

  #urlOf({ key }: JobFile): string {
    return this.#job.target.urlOf(key)
  }

  async #unneeded(file: JobFile): Promise<Unneeded | undefined> {
    const { flags, target, interrupts } = this.#job
    const { store } = target
    const { partSize } = flags
    const how = { digest: store.digest, partSize }
    const sent = this.#log?.find(file)
    if (sent !== undefined) {
      const isSettled = wasSettled(file, sent.time)
      const { size } = file
      if (isSettled || (await hasBytesOf(file.path, { ...sent, size }, how))) {
        return 'sent-before'
      }
    }
    if (flags.ifChanged !== true) return undefined
    const { signal } = interrupts
    const asked = { ...this.#options, signal }
    const head = await headOf(store, file.key, asked)
    if (head === undefined || head.size !== file.size) return undefined
    if (!(await hasBytesOf(file.path, head, how))) return undefined
    this.#log?.add(file, { etag: head.etag, crc64: head.crc64 })
    return 'same-there'
  }

  async #upload(file: JobFile): Promise<void> {
    const { flags, target, interrupts } = this.#job
    const { store } = target
    const { path, key } = file
    const upload = this.#reporter.begin(file, this.#urlOf(file))
    const place = { store, places: this.#places, file }
    const checkpoint = await checkpointOf(flags, place)
    const result = await this.#disk.upload(path, {
      store,
      key,
      signal: interrupts.signal,
      ...this.#options,
      ...(checkpoint === undefined ? {} : { checkpoint }),
      ...listenersOf(upload),
    })
    this.#log?.add(file, result)
    upload.done(result)
  }
}

/** Clocks of file systems are coarse: a later write may leave the times as they are. */
const settling = 2000

function wasSettled({ identity }: JobFile, seen: number): boolean {
  const latest = BigInt(seen - settling) * 1_000_000n
  return BigInt(identity.mtime) <= latest && BigInt(identity.ctime) <= latest
}

/** Makes the files of the job, as often as it is called. */
async function sourceOf(
  job: PutJob,
  looks: Looks,
): Promise<() => AsyncGenerator<Found>> {
  const { sources, flags, target } = job
  const { include, exclude, followLinks = false } = flags
  if (flags.recursive !== true) {
    if (include !== undefined || exclude !== undefined || followLinks) {
      throw new UploadError(
        'PAWL_INVALID_OPTION',
        '--include, --exclude and --follow-links go with -r',
      )
    }
    const named = await filesOf(job)
    return async function* () {
      for (const file of named) {
        if ('skipped' in file) yield file
        else yield* looked(file.path, file.key)
      }
    }
  }
  const prefix =
    target.key === '' || target.key.endsWith('/')
      ? target.key
      : `${target.key}/`
  const options = {
    selection: selectionOf(given({ include, exclude })),
    followLinks,
    looks,
    keyOf: (path: string) => prefix + path,
  }
  const places = await Promise.all(sources.map((path) => placeOf(path, prefix)))
  return async function* () {
    const paths = new Map<string, string>()
    for (const { path, key } of places) {
      const found = key === undefined ? walk(path, options) : looked(path, key)
      for await (const one of found) {
        yield sources.length > 1 ? unlessTaken(one, paths) : one
      }
    }
  }
}

/** Two sources may hold files of one name: the second would replace the first. */
function unlessTaken(found: Found, paths: Map<string, string>): Found {
  if (!('file' in found)) return found
  const { path, key } = found.file
  const before = paths.get(key)
  if (before === undefined) {
    paths.set(key, path)
    return found
  }
  const error = new UploadError(
    'PAWL_INVALID_OPTION',
    `${before} and ${path} would both be ${key}, one over the other; upload them to different URLs`,
  )
  return { path, error }
}

async function* looked(path: string, key: string): AsyncGenerator<Found> {
  const found: Found = await lookAt(path, key).then(
    (file) => ({ file }),
    (error: unknown) => ({ path, error }),
  )
  yield found
}

/** A directory, or a file with its key. */
async function placeOf(
  path: string,
  prefix: string,
): Promise<{ path: string; key: string | undefined }> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause)
  })
  if (stats.isDirectory()) return { path, key: undefined }
  const [file] = await filesOf({ sources: [path], target: { key: prefix } })
  return {
    path,
    key: file !== undefined && 'key' in file ? file.key : undefined,
  }
}

/** Undefined where there is no place for it, and without logs. */
async function openLog(job: PutJob): Promise<JobLog | undefined> {
  const { flags, target, sources, log } = job
  const { checkpoint, checkpointDir } = flags
  if (checkpoint === false) return undefined
  const given = typeof checkpoint === 'string' ? checkpoint : checkpointDir
  const name = digestOf([
    target.store.identity,
    target.key,
    flags.recursive === true,
    ...sources.map((path) => resolve(path)),
  ])
  const options = digestOf(uploadOptionsOf(flags).object ?? {})
  try {
    const directory = given ?? (await makeStateDirectory())
    const path = join(directory, `${name.slice(0, 32)}.job.pawl`)
    return await JobLog.open(path, {
      target: target.urlOf(target.key),
      options,
      isTrusted: flags.trustLog === true,
      onLost: (error) =>
        log.write(
          `What is sent can no longer be noted (${plainText(messageOf(error))}): begun again, it is sent again.\n`,
        ),
    })
  } catch (error) {
    if (error instanceof UploadError && error.code !== 'PAWL_CHECKPOINT_IO') {
      throw error
    }
    const why = plainText(messageOf(error))
    log.write(
      `No log of what is sent can be kept (${why}): begun again, all of it is sent again.\n`,
    )
    return undefined
  }
}

function digestOf(value: object): string {
  return sha256(JSON.stringify(value))
}
