/** Attempts against a scripted server, through a store's own connections. */
import type { Test } from 'tap'
import {
  Attempt,
  type AttemptOptions,
  type HttpRequest,
} from '../../lib/store/attempt.js'
import type { HttpAnswer } from '../../lib/store/answer.js'
import { Connections } from '../../lib/store/connections.js'
import type { CallTimeouts } from '../../lib/store/object-store.js'
import type { Dispatcher } from 'undici'

export interface AttemptSettings {
  origin: string
  dispatcher?: Dispatcher
  tls?: { ca: string }
  timeouts?: Partial<CallTimeouts>
}

export type Send = (
  request: Partial<HttpRequest>,
  signal?: AbortSignal,
) => Promise<HttpAnswer>

/** Sends requests one after another over the same connections. */
export function attempts(t: Test, settings: AttemptSettings): Send {
  const { origin, dispatcher, tls } = settings
  const connections = new Connections({ origin, dispatcher, tls })
  t.teardown(() => connections.close())
  return async (request, signal = new AbortController().signal) => {
    const lane = await connections.acquire(signal)
    const options: AttemptOptions = {
      dispatcher: lane.dispatcher,
      origin,
      signal,
      operation: 'UploadPart',
      host: new URL(origin).host,
      fields: { key: 'k', partNumber: 1 },
      timeouts: {
        connect: 10_000,
        stall: 10_000,
        headers: 10_000,
        ...settings.timeouts,
      },
    }
    let healthy = false
    try {
      const answer = await new Attempt(
        {
          method: 'PUT',
          path: '/b/k?partNumber=1',
          headers: {},
          maxAnswerBytes: 64 * 1024,
          ...request,
        },
        options,
      ).run()
      healthy = answer.complete
      return answer
    } finally {
      connections.release(lane, healthy)
    }
  }
}
