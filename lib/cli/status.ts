/** `pawl status`: what a log says. */
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import {
  readCheckpoint,
  UploadError,
  type CheckpointSummary,
} from '../index.js'
import { summaryOf } from '../checkpoint/read-checkpoint.js'
import { readJob, type JobSummary } from '../job/job-log.js'
import type { LogEngine } from './log-engine.js'
import { plainText } from './plain-text.js'
import { sizesText } from './event-text.js'
import type { Output } from './reporter.js'
import { stateDirectory } from './state-directory.js'
import { countOf, formatDuration, formatSize } from './units.js'

/** Of the logs that are named; of none, those here and in the state directory. */
export async function status(
  paths: readonly string[],
  out: Output,
  isJson: boolean,
): Promise<void> {
  const named = paths.length > 0 ? paths : await allLogs()
  for (const path of named) {
    const job = await readJob(path).catch(() => undefined)
    const summary = job ?? (await readCheckpoint(path))
    out.write(`${textOf(summary, isJson)}\n`)
  }
  if (named.length === 0 && !isJson) {
    out.write(`no logs here, and none in ${stateDirectory()}\n`)
  }
}

/** Of a log that is no file. */
export async function engineStatus(
  engine: LogEngine,
  out: Output,
  isJson: boolean,
): Promise<void> {
  const { name } = engine.checkpoint
  const bytes = await engine.peek()
  if (bytes.length === 0) {
    throw new UploadError('PAWL_INVALID_OPTION', `${name} does not exist`)
  }
  const summary = await summaryOf(name, bytes)
  out.write(`${textOf(summary, isJson)}\n`)
}

function textOf(
  summary: JobSummary | CheckpointSummary,
  isJson: boolean,
): string {
  if (isJson) return JSON.stringify(summary)
  return 'files' in summary ? jobText(summary) : statusText(summary)
}

/** Of logs that were not given a name. */
const ownName = /(?:^|[./\\])[0-9a-f]{32}(?:\.job)?\.pawl$/

async function allLogs(): Promise<string[]> {
  const state = stateDirectory()
  // Other files here that end in `.pawl` may be anything.
  const here = (await logsIn('.')).filter((path) => ownName.test(path))
  return resolve('.') === resolve(state)
    ? here
    : [...here, ...(await logsIn(state))]
}

async function logsIn(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [])
  return names
    .filter((name) => name.endsWith('.pawl'))
    .toSorted()
    .map((name) => join(directory, name))
}

function jobText(
  { path, target, files, bytes, time }: JobSummary,
  now = Date.now(),
): string {
  return [
    `job       ${plainText(path)}`,
    `to        ${plainText(target)}`,
    `sent      ${countOf(files, 'file')}, ${formatSize(bytes)}; run the same command again to send the rest`,
    `begun     ${new Date(time).toISOString()}, ${formatDuration(now - time)} ago`,
  ].join('\n')
}

const words: Record<CheckpointSummary['state'], string> = {
  empty: 'nothing was sent yet',
  uploading: 'unfinished; run the same upload again to go on',
  completing:
    'Complete was sent or about to be, its answer is not known; run the same upload again to find out',
  done: 'the object is complete; the log can be removed',
  discarded: 'given up; the next run starts over',
  damaged: 'no header is left that can be read; the next run starts over',
}

export function statusText(
  summary: CheckpointSummary,
  now = Date.now(),
): string {
  const { path, state, store, bucket, key, uploadId, time } = summary
  const { parts, partSize, growth, bytesStored, bytesContiguous } = summary
  const { unclosed, damagedRecords, reason, runs } = summary
  const rows: [string, string | undefined][] = [
    ['log', path],
    [
      'state',
      reason === undefined ? words[state] : `${words[state]} (${reason})`,
    ],
    [
      'object',
      key === undefined ? undefined : `${key} in ${bucket} (${store})`,
    ],
    ['upload', uploadId],
    [
      'stored',
      `${countOf(parts, 'part')}, ${formatSize(bytesStored)}, of which ${formatSize(bytesContiguous)} from the start without a hole`,
    ],
    [
      'part size',
      partSize === undefined ? undefined : sizesText({ partSize, growth }),
    ],
    [
      'begun',
      time === undefined
        ? undefined
        : `${new Date(time).toISOString()}, ${formatDuration(now - time)} ago`,
    ],
    ['runs', String(runs)],
    ['to abort', unclosed.length === 0 ? undefined : unclosed.join(', ')],
    [
      'damaged',
      damagedRecords === 0 ? undefined : countOf(damagedRecords, 'record'),
    ],
  ]
  return rows
    .filter(([, value]) => value !== undefined)
    .map(([name, value = '']) => `${name.padEnd(10)}${plainText(value)}`)
    .join('\n')
}
