/** The channel `pawl:part`: each part of an upload, sent or reused. */
import type { PartRecord } from '../../checkpoint/record.js'
import { failureText, Tracer, type TraceContext } from '../../diagnostics.js'
import type { PartEvent } from '../options/events.js'
import type { Piece } from '../source/part-content.js'
import type { RunContext } from './context.js'
import { inScope, type UploadScope } from './trace.js'

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

/** Tells of the parts of one upload, as work of that upload. */
export class PartTracing {
  readonly #scope: UploadScope | undefined
  readonly #key: string
  readonly #upload: { readonly uploadId: string | undefined }

  constructor(
    { scope, settings }: Pick<RunContext, 'scope' | 'settings'>,
    upload: { readonly uploadId: string | undefined },
  ) {
    this.#scope = scope
    this.#key = settings.key
    this.#upload = upload
  }

  /** Without it, `run` has nothing to add. */
  get isOn(): boolean {
    return this.#scope !== undefined || partTracer.isOn
  }

  /** Does the work of a part. */
  run(piece: Piece, work: () => Promise<PartEvent>): Promise<PartEvent> {
    return inScope(this.#scope, () =>
      partTracer.isOn ? this.#traced(piece, work) : work(),
    )
  }

  /** A part was stored all along. */
  reused(event: PartEvent): void {
    if (!partTracer.isOn) return
    void inScope(this.#scope, () => this.#traced(event, async () => event))
  }

  /** A part is passed over on the word of its record. */
  skipped({ number: partNumber, offset, size, etag }: PartRecord): void {
    if (!partTracer.isOn) return
    const where = { partNumber, offset, size }
    this.reused({ ...where, etag, reused: true, attempts: 0 })
  }

  #traced(
    { partNumber, offset, size }: Piece,
    work: () => Promise<PartEvent>,
  ): Promise<PartEvent> {
    const { uploadId } = this.#upload
    const key = this.#key
    const trace: PartTrace = { key, partNumber, offset, size, uploadId }
    return partTracer.run(trace, work, ({ reused, attempts, etag }) => {
      trace.uploadId = this.#upload.uploadId
      trace.reused = reused
      trace.attempts = attempts
      trace.etag = etag
    })
  }
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
