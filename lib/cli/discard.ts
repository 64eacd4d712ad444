/** `pawl discard`: gives up one unfinished upload, by its file or its log. */
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { discardFileUpload, UploadError } from '../index.js'
import { readJob } from '../job/job-log.js'
import { whyUnreadable } from '../job/walk.js'
import { openLogEngine, type LogEngine } from './log-engine.js'
import { LogPlaces } from './log-place.js'
import { plainText } from './plain-text.js'
import type { Output } from './reporter.js'
import { given, type Target } from './target.js'

export interface DiscardJob {
  /** A file whose upload was begun, or a log. */
  path: string
  target: Target
  checkpoint: string | undefined
  checkpointDir: string | undefined
  /** Of an engine, or `bucket`. */
  log: string | undefined
  sourceId: string | undefined
  trustLog: boolean | undefined
  /** ms in which requests may fail. */
  patience: number | undefined
  out: Output
  isJson: boolean
}

export async function discard(job: DiscardJob): Promise<void> {
  const { path, target, out, isJson } = job
  if (
    isLog(path) &&
    (await readJob(path).catch(() => undefined)) !== undefined
  ) {
    misuse(
      `${path} is the log of a job, and what a job has sent is complete: give the files or logs of what is under way, or remove it to have all sent again`,
    )
  }
  const key = keyOf(job)
  const url = target.urlOf(key)
  const engine = await engineOf(job, key)
  try {
    await discardFileUpload(path, {
      store: target.store,
      key,
      ...given({ checkpointDir: job.checkpointDir, trustLog: job.trustLog }),
      ...given({ checkpoint: engine?.checkpoint ?? (await logOf(job, key)) }),
      retry: given({ patience: job.patience }),
    })
  } finally {
    await engine?.close()
  }
  out.write(
    isJson
      ? `${JSON.stringify({ event: 'discarded', source: path, url })}\n`
      : `${plainText(url)}: given up, and its parts are removed\n`,
  )
}

function keyOf({ path, target: { key } }: DiscardJob): string {
  const isFolder = key === '' || key.endsWith('/')
  if (!isFolder) return key
  if (isLog(path) || path === '-') {
    misuse('the URL must name the object of the log')
  }
  return key + basename(path)
}

/** Undefined without `--log`, which is instead of all that names a file's log. */
async function engineOf(
  { path, target: { store }, log, sourceId, ...files }: DiscardJob,
  key: string,
): Promise<LogEngine | undefined> {
  if (log === undefined) {
    if (path === '-') misuse('name the log that standard input was given')
    return undefined
  }
  const { checkpoint, checkpointDir } = files
  if (isLog(path) || checkpoint !== undefined || checkpointDir !== undefined) {
    misuse('--log is instead of --checkpoint, --checkpoint-dir and a log')
  }
  const engine = await openLogEngine(log, { store, key, sourceId })
  try {
    const { length } = await engine.peek()
    if (length > 0) return engine
    misuse(`${engine.checkpoint.name} does not exist: nothing was given up`)
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** Undefined: beside the file, or in `--checkpoint-dir`. */
async function logOf(
  { path, target, checkpoint, checkpointDir }: DiscardJob,
  key: string,
): Promise<string | undefined> {
  if (isLog(path)) return mustExist(path)
  if (checkpoint !== undefined) return mustExist(checkpoint)
  if (checkpointDir !== undefined) return undefined
  const place = { identity: target.store.identity, key, path }
  const places = new LogPlaces()
  if (!(await places.hasLog(place))) {
    misuse(`there is no log of an upload of ${path}: nothing was given up`)
  }
  return places.existing(place)
}

async function mustExist(path: string): Promise<string> {
  await stat(path).catch((cause: unknown) => {
    const text = `${path}: ${whyUnreadable(cause)}`
    throw new UploadError('PAWL_CHECKPOINT_IO', text, { cause })
  })
  return path
}

function isLog(path: string): boolean {
  return path.endsWith('.pawl')
}

function misuse(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
