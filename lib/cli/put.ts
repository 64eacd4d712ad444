/** `pawl put`: files, standard input, or the output of a command. */
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  createResumableUploadStream,
  UploadError,
  uploadFile,
} from '../index.js'
import { whyUnreadable } from '../job/walk.js'
import { startChild } from './child-source.js'
import { filesOf, type FileSend } from './file-sends.js'
import { isJob, putMany } from './many.js'
import type { PutJob } from './put-job.js'
import { checkpointOf, uploadOptionsOf } from './put-options.js'
import { openLogEngine, type LogEngine } from './log-engine.js'
import { LogPlaces } from './log-place.js'
import { plainText } from './plain-text.js'
import { listenersOf, uploadEvents } from './reporter.js'
import { isTyped, standardInput } from './standard-input.js'
import { given } from './target.js'

export async function put(job: PutJob): Promise<void> {
  const { sources, flags, target } = job
  const { exec, size } = flags
  const isPiped = exec !== undefined || sources.includes('-')
  if (!isPiped) {
    if (size !== undefined) invalid('--size is for standard input and --exec')
    if (flags.allowEmpty === true) {
      invalid('--allow-empty is for standard input and --exec')
    }
    if (flags.log !== undefined && (sources.length > 1 || isJob(job))) {
      invalid('--log is for one file, standard input and --exec')
    }
    if (isJob(job)) {
      await putMany(job, job.jobReporter())
      return
    }
    const places = new LogPlaces()
    for (const file of await filesOf(job)) {
      if ('skipped' in file) job.reporter.skipped(file.path, file.skipped)
      else await putFile(job, places, file)
    }
    return
  }
  if (
    sources.length > 1 ||
    (exec !== undefined && sources[0] !== undefined && sources[0] !== '-')
  ) {
    invalid('standard input and --exec are uploaded alone, without files')
  }
  if (isJob(job)) {
    invalid(
      'standard input and --exec are no files: leave out the flags for many',
    )
  }
  if (target.key === '' || target.key.endsWith('/')) {
    invalid('standard input has no name: the URL must name the object')
  }
  if (exec !== undefined) {
    await putCommand(job, exec)
    return
  }
  const input = standardInput()
  if (isTyped()) {
    job.log.write('Reading from the terminal; Ctrl-D on a new line ends it.\n')
  }
  await putStream(job, '-', () => ({ output: input }))
}

async function putFile(
  job: PutJob,
  places: LogPlaces,
  file: FileSend,
): Promise<void> {
  const { target, flags, reporter, interrupts } = job
  const { store } = target
  const { path, key } = file
  const url = target.urlOf(key)
  const { checkpointDir, multipartThreshold, prove, sourceId } = flags
  const engine = await logEngineOf(job, key)
  await tellOfOtherHost(job, places, file)
  const upload = reporter.begin(path, url)
  try {
    const result = await uploadFile(path, {
      ...uploadOptionsOf(flags),
      ...given({ checkpointDir, multipartThreshold, prove, sourceId }),
      ...given({
        checkpoint:
          engine?.checkpoint ??
          (await checkpointOf(flags, { store, places, file })),
      }),
      store,
      key,
      signal: interrupts.signal,
      ...listenersOf(upload),
    })
    upload.done(result)
  } finally {
    await engine?.close()
  }
}

/** Under another name of its host an upload begins anew, and its parts are left. */
async function tellOfOtherHost(
  { target, log }: PutJob,
  places: LogPlaces,
  { path, key }: FileSend,
): Promise<void> {
  // The URL of a dev server names its place itself, and takes no --identity.
  if (target.urlOf(key).startsWith('http')) return
  const { identity, bucket } = target.store
  const other = await places.ofOtherHost({ path, key, identity, bucket })
  if (other === undefined) return
  log.write(
    `${plainText(`${other.log} is of an unfinished upload of this object to ${other.store}. Where that is the same bucket, --identity ${other.store} goes on with it; else pawl discard ends it.`)}\n`,
  )
}

/** Undefined without `--log`; it is instead of the flags for files of logs. */
async function logEngineOf(
  { flags, target: { store } }: PutJob,
  key: string,
): Promise<LogEngine | undefined> {
  const { log, checkpoint, checkpointDir, sourceId } = flags
  if (log === undefined) return undefined
  const isFile = typeof checkpoint === 'string' || checkpoint === false
  if (isFile || checkpointDir !== undefined) {
    invalid(
      '--log is instead of --checkpoint, --checkpoint-dir and --no-checkpoint',
    )
  }
  return openLogEngine(log, { store, key, sourceId })
}

async function putCommand(job: PutJob, command: string): Promise<void> {
  const { interrupts } = job
  let stop: () => void = () => undefined
  const leave = interrupts.beforeExit(() => stop())
  interrupts.signal.addEventListener('abort', () => stop(), { once: true })
  try {
    await putStream(job, '--exec', () => {
      const child = startChild(command, interrupts)
      stop = () => child.stop()
      if (interrupts.signal.aborted) stop()
      return child
    })
  } finally {
    stop()
    leave()
  }
}

/** What is uploaded, and whether it is whole once it has ended. */
interface StreamSource {
  output: Readable
  succeeded?: () => Promise<void>
}

/**
 * `start` is called when somebody reads at once: Node throws away what a command
 * that has ended already printed to nobody.
 */
async function putStream(
  job: PutJob,
  name: string,
  start: () => StreamSource,
): Promise<void> {
  const { target, flags, reporter, interrupts } = job
  const { store, key } = target
  const { checkpoint, checkpointDir, size, sourceId } = flags
  const url = target.urlOf(key)
  const engine = await logEngineOf(job, key)
  const told = reporter.begin(name, url)
  const place =
    engine?.checkpoint ??
    (typeof checkpoint === 'string' || checkpoint === false
      ? checkpoint
      : (checkpointDir ??
        (await new LogPlaces().find({ identity: store.identity, key })) ??
        '.'))
  let source: StreamSource | undefined
  const upload = createResumableUploadStream({
    ...uploadOptionsOf(flags),
    ...given({ size, sourceId }),
    store,
    key,
    checkpoint: place,
    signal: interrupts.signal,
    async beforeComplete(candidate) {
      await source?.succeeded?.()
      if (candidate.size === 0 && flags.allowEmpty !== true)
        mustNotBeEmpty(name)
    },
  })
  for (const event of [...uploadEvents, 'progress'] as const) {
    upload.on(event, (detail) => told.event(event, detail))
  }
  source = start()
  const { output } = source
  output.once('error', (cause) => upload.destroy(unreadable(name, cause)))
  // `result` says what ended it, and settles when the log is free.
  await pipeline(output, upload).catch(() => undefined)
  try {
    told.done(await upload.result)
  } finally {
    await engine?.close()
  }
}

function unreadable(name: string, cause: unknown): UploadError {
  const text = `${sourceText(name)} cannot be read: ${whyUnreadable(cause)}`
  return new UploadError('PAWL_SOURCE_IO', text, { cause })
}

function sourceText(name: string): string {
  return name === '-' ? 'standard input' : 'the output of the command'
}

/** A dump that never began looks like one that is empty. */
function mustNotBeEmpty(name: string): never {
  throw new Error(
    `${sourceText(name)} was empty; give --allow-empty where that is as it should be`,
  )
}

function invalid(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
