/** What is published on pawl's channels, in order. */
import {
  tracingChannel,
  type TracingChannelSubscribers,
} from 'node:diagnostics_channel'
import type { Test } from 'tap'
import type { PartTrace, RequestTrace, UploadTrace } from '../../lib/index.js'

interface Traces {
  upload: UploadTrace
  part: PartTrace
  request: RequestTrace
}

export type Kind = keyof Traces
export const kinds: readonly Kind[] = ['upload', 'part', 'request']
export const moments = [
  'start',
  'end',
  'asyncStart',
  'asyncEnd',
  'error',
] as const
export type Moment = (typeof moments)[number]

export interface Told {
  kind: Kind
  moment: Moment
  /** The same object for all moments of one piece of work. */
  context: object
  /** Its fields as they were at this moment. */
  seen: Record<string, unknown>
}

export interface WatchedChannels {
  readonly told: Told[]
  /** What the contexts of one kind hold now, in order of their starts. */
  contexts<K extends Kind>(kind: K): Traces[K][]
  /** The moments of one context. */
  momentsOf(context: object): Moment[]
  /** Forgets what was told so far. */
  clear(): void
}

/** Until the test ends. */
export function watchChannels(
  t: Test,
  which: readonly Kind[] = kinds,
): WatchedChannels {
  const told: Told[] = []
  for (const kind of which) {
    const channel = tracingChannel<unknown, object>(`pawl:${kind}`)
    const hear = (moment: Moment) => (context: object) => {
      told.push({ kind, moment, context, seen: { ...context } })
    }
    const subscribers: TracingChannelSubscribers<object> = {
      start: hear('start'),
      end: hear('end'),
      asyncStart: hear('asyncStart'),
      asyncEnd: hear('asyncEnd'),
      error: hear('error'),
    }
    channel.subscribe(subscribers)
    t.teardown(() => channel.unsubscribe(subscribers))
  }
  return {
    told,
    contexts: <K extends Kind>(kind: K) =>
      told
        .filter((one) => one.kind === kind && one.moment === 'start')
        .map(({ context }) => context as Traces[K]),
    momentsOf: (context) =>
      told.filter((one) => one.context === context).map(({ moment }) => moment),
    clear: () => {
      told.length = 0
    },
  }
}
