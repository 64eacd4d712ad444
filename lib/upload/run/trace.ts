/**
 * The channels `pawl:upload` and `pawl:part`, and the async context of an upload.
 *
 * A stream's work begins in whatever called it: the constructor, a write, the end of
 * the source. An `UploadScope` has parts and requests told as work of the upload, and
 * not of the write that handed the bytes over. It is there while somebody watches.
 */
import { AsyncResource } from 'node:async_hooks'
import {
  type GrowthStep,
  type PartSizes,
  sizesText,
} from '../../checkpoint/growth.js'
import {
  failureText,
  say,
  type TraceContext,
  Tracer,
} from '../../diagnostics.js'
import type { Emit, PartEvent, UploadEvents } from '../options/events.js'
import type { UploadResult } from '../../upload-result.js'
import type { UploadSettings } from '../options/settings.js'
import type { Plan } from '../rules/plan.js'
import type { UploadLog } from './log.js'
import type { Piece } from '../source/part-content.js'

/** The context of `tracing:pawl:upload:*`; one call, from its begin to its `result`. */
export interface UploadTrace extends TraceContext {
  /** `createResumableUploadStream` or `uploadFile`. */
  readonly kind: 'stream' | 'file'
  /** The object's. */
  readonly key: string
  /** Where the object goes. */
  readonly bucket: string
  /** The store's `identity`. */
  readonly store: string
  /** Once there is one; of the upload in use, if a second one was begun. */
  uploadId?: string | undefined
  /** Bytes of every part but the last, before `growth`; once the plan is fixed. */
  partSize?: number
  /** Where parts become larger; absent: nowhere. */
  growth?: readonly GrowthStep[]
  /** It goes on from an earlier run; once the plan is fixed. */
  resumed?: boolean
  /** From `asyncStart` on, when the object is complete. */
  result?: UploadResult
}

const uploadTracer = new Tracer<UploadTrace>('pawl:upload', {
  start: ({ key, kind, store }) =>
    `${JSON.stringify(key)}: upload of a ${kind} to ${store} begins`,
  end: ({ key, error, result }, ms) =>
    `${JSON.stringify(key)}: ${endOf(result, error)} after ${Math.round(ms)} ms`,
})

export class UploadScope {
  readonly #trace: UploadTrace
  readonly #resource = new AsyncResource('PawlUpload')

  constructor(trace: UploadTrace) {
    this.#trace = trace
  }

  /** Does something as work of this upload. */
  run<T>(work: () => T): T {
    return this.#resource.runInAsyncScope(work)
  }

  /** The events of an upload, heard here before they are passed on. */
  hear(emit: Emit): Emit {
    return (name, event) => {
      this.#heard({ [name]: event })
      emit(name, event)
    }
  }

  logOpened({ checkpoint, run, setAside }: UploadLog): void {
    const damaged = setAside === undefined ? '' : `, a damaged one set aside`
    this.say(() => `log ${checkpoint.name} opened, run ${run}${damaged}`)
  }

  planned(plan: Plan, sizes: PartSizes): void {
    this.#trace.partSize = sizes.partSize
    if (sizes.growth !== undefined) this.#trace.growth = sizes.growth
    this.#trace.resumed = plan.mode !== 'create'
    this.say(() => `plan: ${planText(plan)}, parts of ${sizesText(sizes)}`)
  }

  suspending(reason: Error): void {
    this.say(() => `stops (${failureText(reason)})`)
  }

  logLeft(isKept: boolean): void {
    const end = isKept ? 'closed, to go on from' : 'removed, it says nothing'
    this.say(() => `log ${end}`)
  }

  /** A line about this upload. */
  say(line: () => string): void {
    say(() => `${JSON.stringify(this.#trace.key)}: ${line()}`)
  }

  #heard({
    initiated,
    resumed,
    restarted,
    retry,
  }: Partial<UploadEvents>): void {
    const trace = this.#trace
    if (initiated !== undefined) {
      const { uploadId } = initiated
      trace.uploadId = uploadId
      this.say(() => `initiated upload ${uploadId}`)
    } else if (resumed !== undefined) {
      const { uploadId, parts, offset } = resumed
      trace.uploadId = uploadId
      this.say(
        () =>
          `goes on with upload ${uploadId}: ${parts} parts are stored, ${offset} bytes without a hole`,
      )
    } else if (restarted !== undefined) {
      trace.uploadId = undefined
      trace.resumed = false
      this.say(() => `starts over: ${restarted.reason}`)
    } else if (retry !== undefined) {
      const { partNumber, attempt, delay, failingFor, error } = retry
      const what = partNumber === undefined ? '' : `part ${partNumber}: `
      const seconds = Math.round(failingFor / 1000)
      const away = seconds === 0 ? '' : `, nothing was stored for ${seconds} s`
      this.say(
        () =>
          `${what}attempt ${attempt} failed (${failureText(error)}), again in ${Math.round(delay)} ms${away}`,
      )
    }
  }
}

/** Tells of an upload from here to its result; without watchers there is no scope. */
export function traceUpload(
  { key, store }: UploadSettings,
  kind: UploadTrace['kind'],
  work: (scope: UploadScope | undefined) => Promise<UploadResult>,
): Promise<UploadResult> {
  if (!uploadTracer.isOn) return work(undefined)
  const { bucket, identity } = store
  const trace: UploadTrace = { kind, key, bucket, store: identity }
  return uploadTracer.run(
    trace,
    () => work(new UploadScope(trace)),
    (result) => {
      trace.result = result
      trace.resumed = result.resumed
      trace.uploadId = result.uploadId
    },
  )
}

/** Does something as work of an upload, when that is watched. */
export function inScope<T>(scope: UploadScope | undefined, work: () => T): T {
  return scope === undefined ? work() : scope.run(work)
}

function planText(plan: Plan): string {
  switch (plan.mode) {
    case 'create':
      return 'a new upload'
    case 'resume':
      return `go on with upload ${plan.upload.uploadId}`
    case 'claim':
      return `prove the object that upload ${plan.upload.uploadId} has become`
  }
}

function endOf(result: UploadResult | undefined, error: unknown): string {
  if (result === undefined) return `ended, ${failureText(error)},`
  const { size, parts, partsReused, etag, checkpointLeft } = result
  const log = checkpointLeft ? 'log left' : 'log removed'
  return `complete, ${size} bytes in ${parts} parts, ${partsReused} reused, ETag ${etag}, ${log},`
}

/** The context of `tracing:pawl:part:*`; one part, from being taken to being stored. */
export interface PartTrace extends TraceContext {
  /** The object's. */
  readonly key: string
  /** From 1. */
  readonly partNumber: number
  /** Bytes from the start of the object. */
  readonly offset: number
  /** Bytes. */
  readonly size: number
  /** Undefined before it is known, and for an object that is put in one request. */
  uploadId?: string | undefined
  /** It was stored before. This and what follows is known when it is stored. */
  reused?: boolean
  /** Requests made for it in this run. */
  attempts?: number
  /** The store's, as it spelt it. */
  etag?: string
}

const partTracer = new Tracer<PartTrace>('pawl:part', {
  start: ({ key, partNumber, size }) =>
    `${JSON.stringify(key)}: part ${partNumber} taken, ${size} bytes`,
  end: ({ key, partNumber, size, error, reused, attempts }, ms) => {
    const what = `${JSON.stringify(key)}: part ${partNumber}, ${size} bytes`
    const times = attempts === 1 ? '' : ` in ${attempts} attempts`
    const stored = reused === true ? 'reused' : `sent${times}`
    const end = error === undefined ? stored : failureText(error)
    return `${what}, after ${Math.round(ms)} ms: ${end}`
  },
})

/** Tells of what is done with a part, as work of its upload. */
export function tracePart(
  { scope, settings: { key } }: Traced,
  upload: { readonly uploadId: string | undefined },
  { partNumber, offset, size }: Piece,
  work: () => Promise<PartEvent>,
): Promise<PartEvent> {
  return inScope(scope, () => {
    if (!partTracer.isOn) return work()
    const { uploadId } = upload
    const trace: PartTrace = { key, partNumber, offset, size, uploadId }
    return partTracer.run(trace, work, ({ reused, attempts, etag }) => {
      trace.uploadId = upload.uploadId
      trace.reused = reused
      trace.attempts = attempts
      trace.etag = etag
    })
  })
}

/** A part was stored all along. */
export function traceReused(
  context: Traced,
  upload: { readonly uploadId: string | undefined },
  piece: Piece,
  etag: string,
): void {
  if (!partTracer.isOn) return
  const event = { ...piece, etag, reused: true, attempts: 0 }
  void tracePart(context, upload, piece, async () => event)
}

interface Traced {
  readonly scope: UploadScope | undefined
  readonly settings: Pick<UploadSettings, 'key'>
}

/** Tells of an object that is put in one request: it is one part. */
export function tracePut<
  T extends { receipt: { etag: string }; attempts: number },
>(key: string, size: number, work: () => Promise<T>): Promise<T> {
  if (!partTracer.isOn) return work()
  const trace: PartTrace = { key, partNumber: 1, offset: 0, size }
  return partTracer.run(trace, work, ({ receipt, attempts }) => {
    trace.reused = false
    trace.attempts = attempts
    trace.etag = receipt.etag
  })
}
