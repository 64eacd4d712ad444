/**
 * One call of the library as a caller makes it: a source that feeds it, and an
 * end that the caller hears of, unless its process dies before.
 */
import { UploadError } from '../../lib/errors.js'
import { uploadFileOn } from '../../lib/upload/file.js'
import type { UploadEnvironment } from '../../lib/upload/options/environment.js'
import type { UploadEvents } from '../../lib/upload/options/events.js'
import type {
  UploadOptions,
  UploadStreamOptions,
} from '../../lib/upload/options/options.js'
import { readSettings } from '../../lib/upload/options/settings.js'
import type { Progress } from '../../lib/upload/options/progress.js'
import type { UploadResult } from '../../lib/upload-result.js'
import { loadCuttingTools } from '../../lib/upload/source/part-cutter.js'
import { ResumableUploadStream } from '../../lib/upload/stream.js'
import type { ObjectOptions } from '../../lib/store/object-store.js'
import { key, logPath, sourcePath } from './places.js'
import { acls, contentTypes, metadatas } from './object-plan.js'
import { bytesOf, usualSizesOf, type RunPlan } from './plan.js'
import type { Process } from './process.js'
import { optionsText, type Actor } from './store/truth.js'
import type { StoreModel } from './store/model.js'
import type { World } from './world.js'
import type { LogState } from '../../lib/checkpoint/fold.js'
import { logOn } from './invariants/log.js'
import type { EngineModel } from './engine/model.js'

// With its first stream a process loads it, and turns of the real loop pass.
await loadCuttingTools()

type Place = NonNullable<UploadStreamOptions['checkpoint']>

export type Outcome =
  | { kind: 'success'; result: UploadResult }
  | { kind: 'failure'; error: unknown }
  | { kind: 'killed' }

/** How a caller may end a run before its end. */
export type Ending = 'signal' | 'destroy' | 'discard' | 'source-error'

export class Run {
  readonly number: number
  readonly plan: RunPlan
  readonly process: Process
  readonly actor: Actor
  readonly startedAt: number
  /** All that its source was while it ran. */
  readonly sources: Uint8Array[]
  /** What its object is to be, as the store's truth spells it. */
  readonly options: string
  /** How often each event came. */
  readonly progress: Progress[] = []
  readonly parts: UploadEvents['part'][] = []
  /** Uploads of which it was told that they are left. */
  readonly left: string[] = []
  /** Number of progress events before which counters may have begun anew. */
  readonly restarts: number[] = []
  readonly ended: Promise<void>
  outcome: Outcome | undefined
  endedAt = 0
  /** The caller's own end of it, and when. */
  ending: { how: Ending; at: number } | undefined
  /** What became of a `discard()`. */
  discarded: 'resolved' | UploadError | undefined
  hasFinished = false
  /** What goes with its Complete, as logs say it. */
  sentDigest: string | undefined
  /** What its log said before it began. */
  startLog: LogState | undefined
  /** When its source had said everything. */
  sourceEndedAt: number | undefined
  /** Another run had been given its log when it settled. */
  isFenced = false
  /** What its log said when it settled. */
  endLog: LogState | undefined
  /** What its log said when its process was killed. */
  leftLog: LogState | undefined
  #end: () => void = () => undefined
  readonly #world: World
  readonly #stop = new AbortController()
  #upload: ResumableUploadStream | undefined
  #stalledUntil = 0
  #engine: EngineModel | undefined

  constructor(
    {
      number,
      plan,
      process,
    }: { number: number; plan: RunPlan; process: Process },
    world: World,
  ) {
    this.number = number
    this.plan = plan
    this.process = process
    this.actor = { name: `run ${number}`, run: number }
    this.startedAt = world.now
    this.sources = [bytesOf(plan.source)]
    this.options = optionsText(objectOf(plan), acls[plan.object.acl] ?? '')
    this.#world = world
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  get uploadId(): string | undefined {
    return this.#upload?.uploadId
  }

  /** The upload that its failure names. */
  get uploadIdTold(): string | undefined {
    if (this.outcome?.kind !== 'failure') return undefined
    return (this.outcome.error as { uploadId?: string }).uploadId
  }

  /** `engine`: where its log is, if not on a disk. */
  start(store: StoreModel, engine?: EngineModel): void {
    const { plan } = this
    this.#engine = engine
    this.startLog = logOn(this.process.machine.logs)
    const common: UploadOptions = {
      store,
      key,
      ...(plan.grows === true ? {} : { partSize: plan.partSize }),
      concurrency: plan.concurrency,
      object: objectOf(plan),
      proof: plan.proof,
      ...(plan.marks ? {} : { mark: false }),
      ...(plan.isSequential ? { sequential: true } : {}),
      signal: this.#stop.signal,
      ...(plan.verify === undefined ? {} : { verify: plan.verify }),
      ...(plan.vetoes ? { beforeComplete: veto } : {}),
    }
    const place = engine?.checkpointFor(this.process) ?? logPath
    const checkpoint = plan.log ? place : (false as const)
    try {
      const environment = this.#environment
      this.sentDigest = readSettings(common, environment).digests.sent
      if (plan.style === 'file') this.#startFile(common, checkpoint)
      else this.#startStream(common, checkpoint)
    } catch (error) {
      this.#settle({ kind: 'failure', error })
    }
  }

  get #environment(): UploadEnvironment {
    return {
      ...this.process.environment,
      usualSizes: usualSizesOf(this.plan),
      // Long enough for what any run has told.
      ...(this.plan.empties === true ? { longestTold: 100 } : {}),
    }
  }

  /** Its process is dead; nothing of it is heard any more. */
  kill(): void {
    if (this.outcome === undefined)
      this.leftLog = logOn(this.process.machine.logs)
    this.#settle({ kind: 'killed' })
  }

  /** The caller ends it; false when that cannot be done to it. */
  endBy(how: Ending): boolean {
    const upload = this.#upload
    if (this.outcome !== undefined || this.ending !== undefined) return false
    if (upload === undefined && how !== 'signal') return false
    this.ending = { how, at: this.#world.now }
    switch (how) {
      case 'signal':
        this.#stop.abort(new Error('the caller has stopped it'))
        break
      case 'destroy':
        upload?.destroy()
        break
      case 'source-error':
        upload?.destroy(new Error('the source has failed'))
        break
      case 'discard':
        upload?.discard().then(
          () => (this.discarded = 'resolved'),
          (error: UploadError) => (this.discarded = error),
        )
        break
      default:
        throw new Error(how satisfies never)
    }
    return true
  }

  /** Its source says nothing for so many ms. */
  stall(ms: number): void {
    this.#stalledUntil = this.#world.now + ms
  }

  #startFile(common: UploadOptions, checkpoint: Place): void {
    const { plan } = this
    uploadFileOn(
      sourcePath,
      {
        ...common,
        checkpoint,
        // On another machine it is another file, of which only its name is known.
        ...(plan.skips && typeof checkpoint === 'object'
          ? { sourceId: nameOf(plan) }
          : {}),
        prove: plan.prove,
        onProgress: (progress) => this.#hear(progress),
        on: {
          part: (part) => void this.parts.push(part),
          restarted: () => void this.restarts.push(this.progress.length),
          left: ({ uploadId }) => void this.left.push(uploadId),
        },
      },
      this.#environment,
    ).then(
      (result) => this.#settle({ kind: 'success', result }),
      (error: unknown) => this.#settle({ kind: 'failure', error }),
    )
  }

  #startStream(common: UploadOptions, checkpoint: Place): void {
    const { plan } = this
    const { size } = plan.source
    const upload = new ResumableUploadStream(
      {
        ...common,
        checkpoint,
        ...(plan.tellsSize ? { size } : {}),
        ...(plan.skips ? { sourceId: nameOf(plan) } : {}),
      },
      this.#environment,
    )
    this.#upload = upload
    upload.on('error', () => undefined)
    upload.on('progress', (progress) => this.#hear(progress))
    upload.on('part', (part) => void this.parts.push(part))
    upload.on('restarted', () => void this.restarts.push(this.progress.length))
    upload.on('left', ({ uploadId }) => void this.left.push(uploadId))
    upload.once('finish', () => (this.hasFinished = true))
    upload.result.then(
      (result) => this.#settle({ kind: 'success', result }),
      (error: unknown) => this.#settle({ kind: 'failure', error }),
    )
    if (plan.discards) this.endBy('discard')
    else if (!plan.skips) this.#feed(upload, 0)
    else {
      upload.skipUploaded().then(
        (offset) => this.#feed(upload, offset),
        (error: unknown) => {
          // Another source's log: read from the beginning.
          const isAnother =
            error instanceof UploadError &&
            error.code === 'PAWL_SOURCE_ID_REQUIRED'
          if (isAnother) this.#feed(upload, 0)
        },
      )
    }
  }

  /** One chunk after the other, as fast as they are taken. */
  #feed(upload: ResumableUploadStream, offset: number): void {
    const [bytes] = this.sources
    if (bytes === undefined) return
    const ms = Math.max(
      this.#world.decisions.wait(),
      this.#stalledUntil - this.#world.now,
    )
    this.#world.in(ms, this.process, () => {
      if (this.#stalledUntil > this.#world.now) {
        this.#feed(upload, offset)
        return
      }
      if (upload.destroyed || upload.writableEnded) return
      const chunk = bytes.slice(offset, offset + this.plan.chunk)
      if (chunk.length === 0) {
        this.sourceEndedAt = this.#world.now
        upload.end()
        return
      }
      const next = (): void => this.#feed(upload, offset + chunk.length)
      if (upload.write(chunk)) next()
      else upload.once('drain', next)
    })
  }

  #hear(progress: Progress): void {
    this.progress.push(progress)
  }

  #settle(outcome: Outcome): void {
    if (this.outcome !== undefined) return
    this.outcome = outcome
    this.isFenced = this.#engine?.isNewest(this.number) === false
    this.endLog = logOn(this.process.machine.logs)
    this.endedAt = this.#world.now
    this.#world.tell(this.actor.name, describe(outcome))
    this.#end()
  }
}

function nameOf({ source: { noise, flips, size } }: RunPlan): string {
  return `${noise} ${flips.join()} ${size}`
}

const heardBy = { url: 'http://app.example/heard', body: 'key=${object}' }

function veto(): never {
  throw new Error('the source is not whole')
}

function describe(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'success':
      return `resolves: ${outcome.result.parts} parts, ${outcome.result.partsReused} reused, ETag ${outcome.result.etag}`
    case 'killed':
      return 'is dead'
    case 'failure': {
      const { error } = outcome
      return error instanceof UploadError
        ? `rejects with ${error.code}, ${error.resumable ? '' : 'not '}resumable: ${error.message}`
        : `rejects with ${String(error)}`
    }
    default:
      return outcome satisfies never
  }
}

export function objectOf({ object }: RunPlan): ObjectOptions {
  const contentType = contentTypes[object.contentType]
  const metadata = metadatas[object.metadata]
  const acl = acls[object.acl]
  return {
    // `uploadFile` would look the type of its name up.
    contentType: contentType ?? 'application/octet-stream',
    ...(metadata === undefined ? {} : { metadata }),
    ...(acl === undefined ? {} : { acl }),
    ...(object.forbidOverwrite ? { forbidOverwrite: true } : {}),
    ...(object.callback ? { callback: heardBy } : {}),
  }
}
