/** The span of a slice's work, in the telemetry that its queue was given. */
import { SpanKind, type Telemetry } from 'bullmq'
import { messageOf } from '../realm.js'
import type { SliceOfFleet } from './queue.js'

/**
 * Around some work, inside BullMQ's span of the job, which it does not hand out.
 * Requests of the work are inside this one. `isFailure`: whether what was thrown is one.
 */
export async function inSliceSpan<T>(
  telemetry: Telemetry | undefined,
  { fleet, slice }: Pick<SliceOfFleet, 'fleet' | 'slice'>,
  isFailure: (error: unknown) => boolean,
  work: () => Promise<T>,
): Promise<T> {
  if (telemetry === undefined) return work()
  const { tracer, contextManager } = telemetry
  const outer: unknown = contextManager.active()
  const span = tracer.startSpan(
    'pawl slice',
    { kind: SpanKind.INTERNAL },
    outer,
  )
  span.setAttributes({ 'pawl.fleet': fleet, 'pawl.slice': slice })
  try {
    return await contextManager.with(span.setSpanOnContext(outer), work)
  } catch (error) {
    if (isFailure(error)) span.recordException(messageOf(error))
    throw error
  } finally {
    span.end()
  }
}
