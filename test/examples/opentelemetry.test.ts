/** The spans that the example makes of an upload. */
import {
  SpanKind,
  SpanStatusCode,
  trace,
  type TracerProvider,
} from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base'
import t from 'tap'
import type { Test } from 'tap'
import { traceUploads } from '../../docs/examples/opentelemetry.js'
import type { Fault } from '../../lib/dev-server/index.js'
import { noise } from '../support/dev-store.js'
import { key, part, smallUploads } from '../support/small-upload.js'

function watch(t: Test): {
  exporter: InMemorySpanExporter
  provider: TracerProvider
  stop: () => void
} {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  })
  const stop = traceUploads(provider)
  t.teardown(stop)
  return { exporter, provider, stop }
}

/** `pawl.upload / pawl.part 2 / UploadPart 2`, sorted. */
function pathsOf(spans: readonly ReadableSpan[]): string[] {
  const known = new Map(spans.map((span) => [span.spanContext().spanId, span]))
  const pathOf = (span: ReadableSpan): string => {
    const number = span.attributes['pawl.part_number']
    const name =
      number === undefined ? span.name : `${span.name} ${String(number)}`
    const parentId = span.parentSpanContext?.spanId
    if (parentId === undefined) return name
    const parent = known.get(parentId)
    return `${parent === undefined ? 'unknown' : pathOf(parent)} / ${name}`
  }
  return spans.map(pathOf).toSorted()
}

function spansOf(
  spans: readonly ReadableSpan[],
  name: string,
  number?: number,
) {
  return spans.filter(
    (span) =>
      span.name === name && span.attributes['pawl.part_number'] === number,
  )
}

await t.test('an upload with a request that is tried again', async (t) => {
  const dev = await smallUploads(t)
  const faults: Fault[] = [{ kind: 'status', status: 503, code: 'SlowDown' }]
  dev.server.setFault(({ partNumber }) =>
    partNumber === 2 ? faults.shift() : undefined,
  )
  const { exporter, stop } = watch(t)
  const { uploadId } = await dev.run(noise(2 * part + 10))
  const spans = exporter.getFinishedSpans()
  t.same(pathsOf(spans), [
    'pawl.upload',
    'pawl.upload / CompleteMultipartUpload',
    'pawl.upload / InitiateMultipartUpload',
    'pawl.upload / pawl.part 1',
    'pawl.upload / pawl.part 1 / UploadPart 1',
    'pawl.upload / pawl.part 2',
    'pawl.upload / pawl.part 2 / UploadPart 2',
    'pawl.upload / pawl.part 2 / UploadPart 2',
    'pawl.upload / pawl.part 3',
    'pawl.upload / pawl.part 3 / UploadPart 3',
  ])
  t.equal(new Set(spans.map((span) => span.spanContext().traceId)).size, 1)

  t.match(spansOf(spans, 'pawl.upload'), [
    {
      kind: SpanKind.INTERNAL,
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        'pawl.kind': 'stream',
        'pawl.store': dev.small.identity,
        'pawl.bucket': 'examplebucket',
        'pawl.key': key,
        'pawl.upload_id': uploadId,
        'pawl.part_size': part,
        'pawl.resumed': false,
        'pawl.size': 2 * part + 10,
        'pawl.parts': 3,
        'pawl.parts_reused': 0,
      },
    },
  ])
  t.match(spansOf(spans, 'pawl.part', 2), [
    {
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        'pawl.offset': part,
        'pawl.size': part,
        'pawl.reused': false,
        'pawl.attempts': 2,
      },
    },
  ])
  const attempts = spansOf(spans, 'UploadPart', 2)
  t.match(attempts, [
    {
      kind: SpanKind.CLIENT,
      status: { code: SpanStatusCode.ERROR },
      attributes: {
        'rpc.method': 'UploadPart',
        'http.request.method': 'PUT',
        'http.request.body.size': part,
        'http.response.status_code': 503,
        'server.address': new URL(dev.server.endpoint).host,
        'error.type': 'PAWL_SERVER',
      },
      events: [{ name: 'exception' }],
    },
    {
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        'http.response.status_code': 200,
        'http.request.resend_count': 1,
        'pawl.request_id': String,
      },
    },
  ])
  t.notOk('http.request.resend_count' in (attempts[0]?.attributes ?? {}))

  stop()
  exporter.reset()
  await dev.run(noise(10))
  t.same(exporter.getFinishedSpans(), [], 'it can be ended')
})

await t.test('an upload that fails, and the one that goes on', async (t) => {
  const dev = await smallUploads(t)
  dev.server.setFault(({ partNumber }) =>
    partNumber === 2
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  const { exporter } = watch(t)
  const bytes = noise(3 * part)
  const failure = await dev.fail(bytes, { concurrency: 1 })
  const spans = exporter.getFinishedSpans()
  const failed = {
    status: { code: SpanStatusCode.ERROR, message: failure.message },
    attributes: { 'error.type': 'PAWL_ACCESS_DENIED' },
  }
  t.match(spansOf(spans, 'pawl.upload'), [failed])
  t.match(spansOf(spans, 'pawl.part', 2), [failed])
  t.match(spansOf(spans, 'UploadPart', 2), [
    {
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'http.response.status_code': 403 },
    },
  ])
  t.match(spansOf(spans, 'pawl.part', 1), [
    { status: { code: SpanStatusCode.UNSET } },
  ])

  exporter.reset()
  dev.server.setFault(undefined)
  await dev.run(bytes)
  const later = exporter.getFinishedSpans()
  t.match(spansOf(later, 'pawl.upload'), [
    { attributes: { 'pawl.resumed': true, 'pawl.parts_reused': 1 } },
  ])
  t.match(spansOf(later, 'pawl.part', 1), [
    { attributes: { 'pawl.reused': true, 'pawl.attempts': 0 } },
  ])
  t.same(spansOf(later, 'UploadPart', 1), [])
})

await t.test('without a provider it does nothing', async (t) => {
  t.equal(trace.getActiveSpan(), undefined)
  t.teardown(traceUploads())
  const dev = await smallUploads(t)
  await dev.run(noise(10))
})
