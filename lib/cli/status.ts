/** `pawl status`: what a log says. */
import { readCheckpoint, type CheckpointSummary } from '../index.js'
import { plainText } from './plain-text.js'
import type { Output } from './reporter.js'
import { countOf, formatDuration, formatSize } from './units.js'

export async function status(
  paths: readonly string[],
  out: Output,
  isJson: boolean,
): Promise<void> {
  for (const path of paths) {
    const summary = await readCheckpoint(path)
    const text = isJson ? JSON.stringify(summary) : statusText(summary)
    out.write(`${text}\n`)
  }
}

const words: Record<CheckpointSummary['state'], string> = {
  empty: 'nothing was sent yet',
  uploading: 'unfinished; run the same upload again to go on',
  completing:
    'Complete was sent, its answer is not known; run the same upload again to find out',
  done: 'the object is complete; the log can be removed',
  discarded: 'given up; the next run starts over',
  damaged: 'no header is left that can be read; the next run starts over',
}

export function statusText(
  summary: CheckpointSummary,
  now = Date.now(),
): string {
  const { path, state, store, bucket, key, uploadId, time } = summary
  const { parts, partSize, bytesStored, bytesContiguous } = summary
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
    ['part size', partSize === undefined ? undefined : formatSize(partSize)],
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
