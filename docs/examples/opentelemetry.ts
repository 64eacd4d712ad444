/**
 * Spans of OpenTelemetry for uploads, their parts and each request, made of
 * what pawl publishes on its tracing channels.
 *
 *     const stop = traceUploads()   // once, before the first upload
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { tracingChannel } from 'node:diagnostics_channel'
import {
  context,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api'
import type { PartTrace, RequestTrace, UploadTrace } from 'pawl'

/** How one kind of work becomes a span. */
interface SpanShape<Event> {
  name(event: Event): string
  kind: SpanKind
  /** What is known when it begins. */
  first(event: Event): Attributes
  /** What is known when it has ended. */
  last(event: Event): Attributes
}

const uploadShape: SpanShape<UploadTrace> = {
  name: () => 'pawl.upload',
  kind: SpanKind.INTERNAL,
  first: ({ kind, store, bucket, key }) => ({
    'pawl.kind': kind,
    'pawl.store': store,
    'pawl.bucket': bucket,
    'pawl.key': key,
  }),
  last: ({ uploadId, partSize, resumed, result }) => ({
    'pawl.upload_id': uploadId,
    'pawl.part_size': partSize,
    'pawl.resumed': resumed,
    'pawl.size': result?.size,
    'pawl.parts': result?.parts,
    'pawl.parts_reused': result?.partsReused,
  }),
}

const partShape: SpanShape<PartTrace> = {
  name: () => 'pawl.part',
  kind: SpanKind.INTERNAL,
  first: ({ partNumber, offset, size }) => ({
    'pawl.part_number': partNumber,
    'pawl.offset': offset,
    'pawl.size': size,
  }),
  last: ({ uploadId, reused, attempts }) => ({
    'pawl.upload_id': uploadId,
    'pawl.reused': reused,
    'pawl.attempts': attempts,
  }),
}

const requestShape: SpanShape<RequestTrace> = {
  name: ({ operation }) => operation,
  kind: SpanKind.CLIENT,
  first: ({ operation, method, host, partNumber, attempt = 1, size }) => ({
    'rpc.method': operation,
    'http.request.method': method,
    'http.request.body.size': size,
    'http.request.resend_count': attempt > 1 ? attempt - 1 : undefined,
    'server.address': host,
    'pawl.part_number': partNumber,
  }),
  last: ({ status, requestId }) => ({
    'http.response.status_code': status,
    'pawl.request_id': requestId,
  }),
}

/** Returns what ends it. */
export function traceUploads(
  provider: TracerProvider = trace.getTracerProvider(),
): () => void {
  const tracer = provider.getTracer('pawl')
  // The context manager has a storage of its own, which it shows to nobody.
  const contexts = new AsyncLocalStorage<Context>()
  const ends = [
    follow('pawl:upload', uploadShape, tracer, contexts),
    follow('pawl:part', partShape, tracer, contexts),
    follow('pawl:request', requestShape, tracer, contexts),
  ]
  return () => {
    for (const end of ends) end()
  }
}

function follow<Event extends object>(
  name: string,
  shape: SpanShape<Event>,
  tracer: Tracer,
  contexts: AsyncLocalStorage<Context>,
): () => void {
  const channel = tracingChannel<unknown, Event>(name)
  const spans = new WeakMap<object, Span>()
  // What pawl starts from here on finds this span as its parent.
  channel.start.bindStore(contexts, (event) => {
    const parent = contexts.getStore() ?? context.active()
    const span = tracer.startSpan(
      shape.name(event),
      { kind: shape.kind, attributes: shape.first(event) },
      parent,
    )
    spans.set(event, span)
    return trace.setSpan(parent, span)
  })
  const subscribers = {
    start: ignore,
    end: ignore,
    asyncStart: ignore,
    error(event: Event & { error: unknown }): void {
      const span = spans.get(event)
      if (span !== undefined) fail(span, event.error)
    },
    asyncEnd(event: Event): void {
      spans.get(event)?.setAttributes(shape.last(event)).end()
    },
  }
  channel.subscribe(subscribers)
  return () => {
    channel.start.unbindStore(contexts)
    channel.unsubscribe(subscribers)
  }
}

function fail(span: Span, reason: unknown): void {
  const error = reason instanceof Error ? reason : new Error(String(reason))
  const code = 'code' in error ? String(error.code) : error.name
  span.recordException(error)
  span.setAttribute('error.type', code)
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
}

function ignore(): void {
  // The span begins in bindStore and ends in asyncEnd.
}
