import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { authenticate, dialectOf, type Keyring } from './auth/authenticate.js'
import { checkOrigin, type Admission } from './auth/origin.js'
import { ConnectionCut, RequestBody } from './body/request-body.js'
import { Throttle } from './body/throttle.js'
import { distortReply, statusReply } from './faults.js'
import { checkHeaders } from './operations/conditional-headers.js'
import type { Context } from './operations/context.js'
import { checkNames } from './operations/names.js'
import { operations, refuseUnknown } from './operations/table.js'
import type { Fault, SeenRequest } from './options.js'
import type { Storage } from './storage/storage.js'
import { ApiError } from './wire/api-error.js'
import { type Dialect } from './wire/dialect.js'
import { hoistedHeaders, type Asked } from './wire/operation.js'
import { errorReply, type ErrorPlace, type Reply } from './wire/reply.js'
import type { RequestHead } from './wire/request-head.js'
import { writeHalf, writeReply } from './wire/write-reply.js'

/** What all requests of one server share. */
export interface ServerState {
  readonly storage: Storage
  /** The server's clock, ms since 1970. */
  now(): number
  keyring(): Keyring
  readonly admission: Admission
  readonly minPartSize: number | undefined
  readonly equalParts: boolean
  readonly maxPageSize: number
  /** Shared by all bodies. */
  readonly throttle: Throttle | undefined
  /** Aborted when the server closes. */
  readonly signal: AbortSignal
}

/** One request whose head has been read and logged. */
export interface Arrival {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly expectsContinue: boolean
  readonly head: RequestHead
  readonly asked: Asked
  readonly seen: SeenRequest
  readonly fault: Fault | undefined
  /** What is wrong with the head, if it could not be read. */
  readonly refusal: ApiError | undefined
}

/**
 * One request from its head to its answer: the fault that was chosen for it,
 * its signature, its operation, its answer. Whatever the operation throws
 * becomes an answer, but for a cut connection, which gets none.
 */
export class Exchange {
  readonly #state: ServerState
  readonly #arrival: Arrival
  readonly #dialect: Dialect
  readonly #body: RequestBody
  readonly #gone = new AbortController()
  readonly #started = performance.now()
  readonly #place: ErrorPlace

  constructor(state: ServerState, arrival: Arrival) {
    const { request, response, seen, head, expectsContinue } = arrival
    this.#state = state
    this.#arrival = arrival
    this.#dialect = dialectOf(head)
    this.#body = new RequestBody({
      request,
      response,
      seen,
      signal: this.#gone.signal,
      throttles: state.throttle === undefined ? [] : [state.throttle],
      expectsContinue,
    })
    this.#place = {
      requestId: randomBytes(12).toString('hex').toUpperCase(),
      hostId: request.headers.host ?? '',
      resource: head.path,
      isHead: head.method === 'HEAD',
    }
  }

  async run(): Promise<void> {
    const { request } = this.#arrival
    const { socket } = request
    // A request whose answer is finished is not told by Node that its
    // connection closed: the rest of its body would be waited for for ever.
    const onClose = (): void => {
      this.#gone.abort()
      request.destroy()
    }
    socket.once('close', onClose)
    try {
      await this.#misbehave(this.#arrival.fault)
    } catch (error) {
      const isOver = error instanceof ConnectionCut || this.#gone.signal.aborted
      if (!isOver) throw error
    } finally {
      socket.off('close', onClose)
    }
  }

  async #misbehave(fault: Fault | undefined): Promise<void> {
    const { socket } = this.#arrival.request
    switch (fault?.kind) {
      case 'refuse':
        socket.destroy()
        return
      case 'reset-body':
        await this.#body.readOnly(fault.afterBytes ?? 0)
        socket.resetAndDestroy()
        return
      case 'stall':
        await this.#body.readOnly(fault.afterBytes ?? 0)
        return
      case 'silence':
        await (fault.apply === true ? this.#work() : this.#body.drain())
        return
      case 'status': {
        if (fault.apply === true) await this.#work()
        else if (fault.early !== true) await this.#body.drain()
        await this.#answer(statusReply(fault, this.#dialect, this.#place))
        return
      }
      case 'reply-lost':
        await this.#work()
        socket.resetAndDestroy()
        return
      case 'reply-cut': {
        const reply = await this.#work()
        await writeHalf(this.#arrival.response, this.#complete(reply))
        return
      }
      case 'trickle':
        this.#body.addThrottle(new Throttle(fault.bytesPerSecond))
        await this.#answer(await this.#work())
        return
      case 'delay': {
        const reply = await this.#work()
        await sleep(fault.ms, undefined, { signal: this.#gone.signal })
        await this.#answer(reply)
        return
      }
      case 'wrong-crc':
      case 'wrong-etag':
      case 'replace-body':
      case undefined:
        await this.#answer(distortReply(await this.#work(), fault))
    }
  }

  /** Checks and does what is asked; refusals are answers too. */
  async #work(): Promise<Reply> {
    try {
      return await this.#operate()
    } catch (error) {
      if (error instanceof ConnectionCut) throw error
      const refusal =
        error instanceof ApiError
          ? error
          : new ApiError('InternalError', { message: String(error) })
      return errorReply(refusal, this.#dialect, this.#place)
    }
  }

  #operate(): Reply | Promise<Reply> {
    const { head, asked, seen, refusal } = this.#arrival
    const { storage, signal, minPartSize, equalParts, maxPageSize } =
      this.#state
    checkOrigin(head, this.#state.admission)
    if (refusal !== undefined) throw refusal
    const now = this.#state.now()
    const keyring = this.#state.keyring()
    const claim = authenticate(head, this.#dialect, keyring, now)
    const { operation } = asked
    if (operation === 'Unknown') refuseUnknown(head, asked)
    const hoisted = hoistedHeaders(head, this.#dialect)
    const context: Context = {
      head: { ...head, headers: { ...hoisted, ...head.headers } },
      operation,
      dialect: this.#dialect,
      claim,
      region: keyring.region ?? claim.region,
      bucket: head.bucket ?? '',
      key: head.key ?? '',
      body: this.#body,
      storage,
      minPartSize: minPartSize ?? this.#dialect.minPartSize,
      equalParts,
      maxPageSize,
      now,
      signal,
      applied: () => {
        seen.applied = true
      },
    }
    checkNames(context)
    checkHeaders(context)
    return operations[operation](context)
  }

  /** Answers, and reads what is left of the body while doing so. */
  async #answer(reply: Reply): Promise<void> {
    const { response, seen } = this.#arrival
    if (response.destroyed) return
    const full = this.#complete(reply)
    seen.status = full.status
    const drained = this.#body.drain()
    await writeReply(response, full)
    await drained
  }

  /** Adds the headers that every answer has. */
  #complete(reply: Reply): Reply {
    const { name, prefix, server } = this.#dialect
    const { requestId } = this.#place
    const elapsed = Math.ceil(performance.now() - this.#started)
    return {
      ...reply,
      headers: {
        date: new Date(this.#state.now()).toUTCString(),
        server,
        [`${prefix}request-id`]: requestId,
        ...(name === 'oss'
          ? { 'x-oss-server-time': String(elapsed) }
          : { 'x-amz-id-2': requestId.toLowerCase() }),
        // The body that the client holds back would be taken for a request.
        ...(this.#body.isHeldBack ? { connection: 'close' } : {}),
        ...reply.headers,
      },
    }
  }
}
