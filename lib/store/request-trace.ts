/** The channel `pawl:request`: each HTTP attempt of a store. */
import { failureText, Tracer, type TraceContext } from '../diagnostics.js'
import type { UploadErrorFields } from '../errors.js'
import type { HttpAnswer } from './answer.js'
import type { OperationName, UnsignedRequest } from './dialect.js'

/** The context of `tracing:pawl:request:*`; one HTTP attempt. */
export interface RequestTrace extends TraceContext {
  /** The service's name of the call, such as `UploadPart`. */
  readonly operation: OperationName
  /** Of HTTP. */
  readonly method: string
  /** Where it goes: the name of a host, with its port. */
  readonly host: string
  /** The object's, where the call has one. */
  readonly key: string | undefined
  /** Where the call has one. */
  readonly uploadId: string | undefined
  /** From 1, where the call has one. */
  readonly partNumber: number | undefined
  /** Of the same call, from 1; undefined where a caller does not count. */
  readonly attempt: number | undefined
  /** Bytes of its body. */
  readonly size: number
  /** Of the answer, once there is one. */
  status?: number
  /** The server's name of this request, when it said it. */
  requestId?: string
}

export const requestTracer = new Tracer<RequestTrace>('pawl:request', {
  start: (trace) => `${nameOf(trace)} begins, ${trace.size} bytes`,
  end: (trace, ms) => {
    const { error, status, requestId } = trace
    const id = requestId === undefined ? '' : `, request ${requestId}`
    const outcome = error === undefined ? `${status}${id}` : failureText(error)
    return `${nameOf(trace)} after ${Math.round(ms)} ms: ${outcome}`
  },
})

interface NamedRequest extends UnsignedRequest {
  name: OperationName
  fields: Pick<UploadErrorFields, 'uploadId' | 'partNumber'>
}

export function requestTrace(
  { name, method, key, headers, fields }: NamedRequest,
  host: string,
  attempt: number | undefined,
): RequestTrace {
  return {
    operation: name,
    method,
    host,
    key,
    uploadId: fields.uploadId,
    partNumber: fields.partNumber,
    attempt,
    size: Number(headers['content-length'] ?? 0),
  }
}

/** What the trace of an attempt says of its answer. */
export function traceAnswer(
  trace: RequestTrace,
  { status }: HttpAnswer,
  requestId: string | undefined,
): void {
  trace.status = status
  if (requestId !== undefined) trace.requestId = requestId
}

function nameOf({ operation, key, partNumber, attempt }: RequestTrace): string {
  const what = key === undefined ? '' : `${JSON.stringify(key)}: `
  const part = partNumber === undefined ? '' : ` ${partNumber}`
  const count = attempt === undefined ? '' : `, attempt ${attempt},`
  return `${what}${operation}${part}${count}`
}
