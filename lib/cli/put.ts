/** `pawl put`: files, standard input, or the output of a command. */
import process from 'node:process'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  createResumableUploadStream,
  UploadError,
  uploadFile,
  type UploadEvents,
} from '../index.js'
import { startChild } from './child-source.js'
import { filesOf, type FileSend } from './file-sends.js'
import type { Interrupts } from './interrupts.js'
import { uploadOptionsOf, type PutFlags } from './put-options.js'
import type { Reporter } from './reporter.js'
import { given, type Target } from './target.js'

export interface PutJob {
  /** Paths, or `-` alone. Empty with `exec`. */
  sources: readonly string[]
  target: Target
  flags: PutFlags
  reporter: Reporter
  interrupts: Interrupts
}

export async function put(job: PutJob): Promise<void> {
  const { sources, flags, target } = job
  const { exec, size } = flags
  const isPiped = exec !== undefined || sources.includes('-')
  if (!isPiped) {
    if (size !== undefined) invalid('--size is for standard input and --exec')
    for (const file of await filesOf(job)) {
      if ('skipped' in file) job.reporter.skipped(file.path, file.skipped)
      else await putFile(job, file)
    }
    return
  }
  if (
    sources.length > 1 ||
    (exec !== undefined && sources[0] !== undefined && sources[0] !== '-')
  ) {
    invalid('standard input and --exec are uploaded alone, without files')
  }
  if (target.key === '' || target.key.endsWith('/')) {
    invalid('standard input has no name: the URL must name the object')
  }
  if (exec === undefined) await putStream(job, '-', process.stdin)
  else await putCommand(job, exec)
}

async function putFile(job: PutJob, { path, key }: FileSend): Promise<void> {
  const { target, flags, reporter, interrupts } = job
  const url = target.urlOf(key)
  const { checkpoint, checkpointDir, multipartThreshold, prove } = flags
  reporter.begin(path, url)
  const tell =
    <Name extends keyof UploadEvents>(name: Name) =>
    (event: UploadEvents[Name]) =>
      reporter.event(name, event)
  const result = await uploadFile(path, {
    ...uploadOptionsOf(flags),
    ...given({ checkpointDir, multipartThreshold, prove }),
    // `true` is only the other side of --no-checkpoint.
    ...(typeof checkpoint === 'string' || checkpoint === false
      ? { checkpoint }
      : {}),
    store: target.store,
    key,
    signal: interrupts.signal,
    onProgress: tell('progress'),
    on: {
      initiated: tell('initiated'),
      resumed: tell('resumed'),
      restarted: tell('restarted'),
      part: tell('part'),
      retry: tell('retry'),
      left: tell('left'),
    },
  })
  reporter.done(result, url)
}

async function putCommand(job: PutJob, command: string): Promise<void> {
  const child = startChild(command)
  const { signal } = job.interrupts
  signal.addEventListener('abort', () => child.stop(), { once: true })
  try {
    await putStream(job, '--exec', child.output, () => child.succeeded())
  } finally {
    child.stop()
  }
}

async function putStream(
  job: PutJob,
  name: string,
  source: Readable,
  beforeComplete?: () => Promise<void>,
): Promise<void> {
  const { target, flags, reporter, interrupts } = job
  const { store, key } = target
  const { checkpoint, checkpointDir, size } = flags
  const url = target.urlOf(key)
  reporter.begin(name, url)
  const upload = createResumableUploadStream({
    ...uploadOptionsOf(flags),
    ...given({ size, beforeComplete }),
    store,
    key,
    checkpoint:
      typeof checkpoint === 'string' || checkpoint === false
        ? checkpoint
        : (checkpointDir ?? '.'),
    signal: interrupts.signal,
  })
  const names = [
    'initiated',
    'resumed',
    'restarted',
    'part',
    'retry',
    'left',
    'progress',
  ] as const
  for (const event of names) {
    upload.on(event, (detail) => reporter.event(event, detail))
  }
  // `result` says what ended it, and settles when the log is free.
  await pipeline(source, upload).catch(() => undefined)
  const result = await upload.result
  reporter.done(result, url)
}

function invalid(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
