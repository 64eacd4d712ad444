/**
 * How an upload can be watched from outside: tracing channels of
 * `node:diagnostics_channel` for programs, and lines of `NODE_DEBUG=pawl` for
 * people. Both are fed from the same places.
 *
 * - Whoever reports asks `isOn` first: when nobody watches, nothing is made.
 * - The events of one piece of work share one context object, which is filled
 *   while it goes on. They are those of `TracingChannel.tracePromise`, but what
 *   a piece of work resolves to is kept out of the context: an answer has
 *   headers and a body.
 * - Contexts and lines hold no secret, body, header or query string.
 * - A subscriber that throws is reported by Node as an uncaught exception, on
 *   the next tick; the work itself never hears of it.
 */
import { tracingChannel, type TracingChannel } from 'node:diagnostics_channel'
import { performance } from 'node:perf_hooks'
import { debuglog } from 'node:util'
import { isError, systemCode } from './realm.js'
import { UploadError } from './errors.js'

const log = debuglog('pawl')

/** What the contexts of all channels have. */
export interface TraceContext {
  /** What the work rejected with, from the `error` event on. */
  error?: unknown
}

/** The lines of one kind of work; `ms` is how long it took. */
export interface TraceLines<Context> {
  start?(context: Context): string
  end(context: Context, ms: number): string
}

/** One kind of work that can be watched. */
export class Tracer<Context extends TraceContext> {
  readonly #channel: TracingChannel<unknown, Context>
  readonly #lines: TraceLines<Context>

  /** `pawl:upload` publishes on `tracing:pawl:upload:start` and so on. */
  constructor(name: string, lines: TraceLines<Context>) {
    this.#channel = tracingChannel<unknown, Context>(name)
    this.#lines = lines
  }

  /** Somebody watches. */
  get isOn(): boolean {
    return this.#channel.hasSubscribers || log.enabled
  }

  /**
   * Does the work and tells of it. What it starts finds the stores that
   * subscribers have bound to `start`. `onResult` fills the context.
   */
  run<T>(
    context: Context,
    work: () => Promise<T>,
    onResult?: (result: T) => void,
  ): Promise<T> {
    const { start, end, asyncStart, asyncEnd, error } = this.#channel
    const began = performance.now()
    const tellEnd = (): void => {
      asyncStart.publish(context)
      asyncEnd.publish(context)
      say(() => this.#lines.end(context, performance.now() - began))
    }
    return start.runStores(context, () => {
      say(() => this.#lines.start?.(context))
      try {
        return work().then(
          (result) => {
            onResult?.(result)
            tellEnd()
            return result
          },
          (reason: unknown) => {
            context.error = reason
            error.publish(context)
            tellEnd()
            throw reason
          },
        )
      } finally {
        end.publish(context)
      }
    })
  }
}

/** A line of `NODE_DEBUG=pawl`; worked out only when there is one. */
export function say(line: () => string | undefined): void {
  if (!log.enabled) return
  const text = line()
  if (text !== undefined) log('%s', text)
}

/**
 * A failure on one line. The texts of other people's errors, a source's for
 * example, may hold anything, so of those only the name and the code are said.
 */
export function failureText(error: unknown): string {
  if (error instanceof UploadError) {
    return `${error.code}: ${oneLine(error.message)}`
  }
  if (!isError(error)) return typeof error
  const code = systemCode(error)
  return code === '' ? error.name : `${error.name} ${code}`
}

/** Line ends and other control characters, spelled out. */
function oneLine(text: string): string {
  return JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"')
}
