/** `pawl discard`: gives up one unfinished upload, by its file or its log. */
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { discardFileUpload, UploadError } from '../index.js'
import { readJob } from '../job/job-log.js'
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
  await discardFileUpload(path, {
    store: target.store,
    key,
    ...given({ checkpointDir: job.checkpointDir, trustLog: job.trustLog }),
    ...given({ checkpoint: await logOf(job, key) }),
    retry: given({ patience: job.patience }),
  })
  out.write(
    isJson
      ? `${JSON.stringify({ event: 'discarded', source: path, url })}\n`
      : `${plainText(url)}: given up, and its parts are removed\n`,
  )
}

function keyOf({ path, target: { key } }: DiscardJob): string {
  const isFolder = key === '' || key.endsWith('/')
  if (!isFolder) return key
  if (isLog(path)) misuse('the URL must name the object of the log')
  return key + basename(path)
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
    throw new UploadError(
      'PAWL_CHECKPOINT_IO',
      `${path}: there is no such file`,
      {
        cause,
      },
    )
  })
  return path
}

function isLog(path: string): boolean {
  return path.endsWith('.pawl')
}

function misuse(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
