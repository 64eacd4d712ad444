/** Attempts against a scripted server, through a store's own connections. */
import { realEnvironment } from '../../lib/environment.js'
import type { Test } from 'tap'
import {
  Attempt,
  type AttemptOptions,
  type HttpRequest,
} from '../../lib/store/attempt.js'
import type { HttpAnswer } from '../../lib/store/answer.js'
import { Connections } from '../../lib/store/connections.js'
import type { Body, CallTimeouts } from '../../lib/store/object-store.js'
import { StoreError } from '../../lib/store/store-error.js'
import { bodyFrom } from './store-call.js'
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
      queue: lane.queue,
      origin,
      signal,
      operation: 'UploadPart',
      host: new URL(origin).host,
      isStranger: true,
      fields: { key: 'k', partNumber: 1 },
      environment: realEnvironment,
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

export function upload(bytes: Buffer, viewSize?: number) {
  return {
    body: bodyFrom(bytes, viewSize),
    headers: { 'content-length': String(bytes.length) },
  }
}

export async function rejection(
  promise: Promise<unknown>,
): Promise<StoreError> {
  const error = await promise.then(
    () => new Error('it resolved'),
    (reason: unknown) => reason,
  )
  if (error instanceof StoreError) return error
  throw error
}

/** One round of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** A body that tells when it is pulled, and whether it was ended. */
export function watched(bytes: Buffer, viewSize = 64 * 1024) {
  const state = { pulls: 0, ended: false }
  const body: Body = async function* () {
    try {
      for (let at = 0; at < bytes.length; at += viewSize) {
        state.pulls++
        yield bytes.subarray(at, at + viewSize)
      }
    } finally {
      state.ended = true
    }
  }
  return {
    state,
    request: { body, headers: { 'content-length': String(bytes.length) } },
  }
}
