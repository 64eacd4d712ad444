/**
 * A store as one process sees it: requests that take their time, arrive or do
 * not, and answers that arrive or do not. What they do is `StoreTruth`'s.
 *
 * A request that has been sent goes on by itself: it is done also when its
 * client has given up or is dead.
 */
import { setMaxListeners } from 'node:events'
import {
  StoreError,
  type StoreErrorKind,
} from '../../../lib/store/store-error.js'
import type {
  Body,
  Call,
  CreatedUpload,
  PartPage,
  StoreLimits,
  UploadPage,
} from '../../../lib/store/object-store.js'
import { md5 } from '../digests.js'
import type { Process } from '../process.js'
import { Random } from '../random.js'
import type { World } from '../world.js'
import type {
  AbortUploadRequest,
  CallName,
  CompleteUploadRequest,
  Create,
  Head,
  ListPartsRequest,
  ListUploadsRequest,
  Model,
  ObjectAnswer,
  ObjectOptions,
  Part,
  PartAnswer,
  Put,
} from './contract.js'
import { faults, faultyCalls, type Fault } from './faults.js'
import type { Heard, Look } from './heard.js'
import type { HeldRequests } from './held.js'
import {
  optionsText,
  problem,
  problems,
  type Actor,
  type StoreTruth,
} from './truth.js'

/** What the model asks of the schedule that it is part of. */
export interface Surroundings {
  readonly world: World
  readonly truth: StoreTruth
  readonly heard: Heard
  readonly held: HeldRequests
  /** Calls that are denied to us. */
  readonly denied: ReadonlySet<CallName>
  /** Whose work a process is doing. */
  actorOf(process: Process): Actor
  /** A Complete or a PutObject is about to be sent. */
  makes(process: Process): void
  /** A Complete is about to be sent, in the words of the client. */
  completes(request: CompleteUploadRequest, process: Process): void
  /** Something happened that others may react to. */
  moment(name: string, process: Process): void
  /** Some are likelier in some schedules. */
  lean<T extends { name: string; weight: number }>(
    rows: readonly T[],
  ): readonly T[]
  likely(likely: number, call: string): number
  readonly faultBudget: { most: number; likely: number }
  /** The whole store cannot be reached, until then. */
  readonly away: Away | undefined
}

export interface Away {
  readonly from: number
  readonly until: number
  readonly fault: Fault
}

interface Request {
  readonly name: CallName
  readonly what: string
  readonly call: Call
  /** Of the object that it makes. */
  readonly object?: ObjectOptions
  readonly uploadId?: string
}

export class StoreModel implements Model {
  readonly identity = 'model://bucket'
  readonly bucket = 'bucket'
  readonly limits: StoreLimits
  readonly digest: Model['digest']
  declare readonly keepsMetadata?: boolean
  declare readonly precedence?: 'initiate'
  readonly #around: Surroundings
  readonly #process: Process

  constructor(around: Surroundings, process: Process) {
    this.#around = around
    this.#process = process
    const { traits } = around.truth
    this.digest = traits.digest
    this.limits = {
      minPartSize: 1,
      maxPartSize: 2 ** 30,
      maxParts: traits.maxParts,
      maxPutSize: 2 ** 30,
      maxKeyBytes: 1023,
      ...(traits.equalParts && traits.tellsEqualParts
        ? { equalParts: true }
        : {}),
    }
    if (traits.tellsNoMetadata) this.keepsMetadata = false
    if (traits.order === 'initiate') this.precedence = 'initiate'
  }

  fixedHeaders(object: ObjectOptions): Record<string, string> {
    const isFixed = this.#around.truth.traits.dialect === 's3'
    const { acl = '' } = object
    return { 'x-options': optionsText(object, isFixed ? acl : '') }
  }

  /** What goes with Complete and PutObject. */
  sentHeaders({
    acl,
    forbidOverwrite,
    callback,
  }: ObjectOptions): Record<string, string> {
    const isLate = this.#around.truth.traits.dialect === 'oss'
    return {
      ...(callback === undefined ? {} : { 'x-callback': callback.body }),
      ...(acl === undefined || !isLate ? {} : { 'x-acl': acl }),
      ...(forbidOverwrite === true ? { 'x-forbid-overwrite': 'true' } : {}),
    }
  }

  canMark(): boolean {
    return true
  }

  async createUpload(request: Create, call: Call): Promise<CreatedUpload> {
    const { truth } = this.#around
    const answer = await this.#exchange(
      { name: 'createUpload', what: 'Initiate', call },
      (by) => truth.createUpload(by, request),
    )
    const upload = truth.uploads.get(answer.uploadId)
    if (upload !== undefined) upload.isHeard = true
    return answer
  }

  async uploadPart(request: Part, call: Call): Promise<PartAnswer> {
    const { uploadId, partNumber } = request
    const { world, truth, heard } = this.#around
    const what = `part ${partNumber} of ${uploadId}`
    heard.asks(this.#run, uploadId, partNumber)
    const sentAt = world.now
    let at = sentAt
    const answer = await this.#send(
      { name: 'uploadPart', what, call, uploadId },
      request,
      (by, bytes) => {
        at = world.now
        return truth.uploadPart(by, { uploadId, partNumber, sentAt }, bytes)
      },
    )
    heard.part(this.#run, uploadId, { ...answer, partNumber }, at)
    return answer
  }

  async listParts(request: ListPartsRequest, call: Call): Promise<PartPage> {
    const { uploadId } = request
    const { world, truth, heard } = this.#around
    const what = `ListParts of ${uploadId}`
    let at = 0
    const answer = await this.#exchange(
      { name: 'listParts', what, call, uploadId },
      () => {
        at = world.now - truth.traits.listLag
        return truth.listParts(request)
      },
    )
    for (const part of answer.parts) heard.part(this.#run, uploadId, part, at)
    return answer
  }

  async completeUpload(
    request: CompleteUploadRequest,
    call: Call,
  ): Promise<ObjectAnswer> {
    const { world, truth, heard } = this.#around
    const { uploadId } = request
    const what = `Complete of ${uploadId}`
    this.#around.makes(this.#process)
    this.#around.completes(request, this.#process)
    heard.haveCompleted.add(this.#run)
    heard.sendsComplete(this.#run, uploadId)
    const sentAt = world.now
    try {
      return await this.#exchange(
        { name: 'completeUpload', what, call, object: request.object },
        (by) => truth.completeUpload(by, { ...request, sentAt }),
      )
    } catch (error) {
      const isRefused = isOf(error, 'denied') || isOf(error, 'request')
      if (isRefused) heard.refusesComplete(this.#run, uploadId)
      if (!isCertain(error)) heard.leavesUnsure(this.#run, uploadId)
      const isOpen = !isCertain(error) && !isOf(error, 'no-upload')
      if (isOpen) heard.leavesOpen(this.#run, uploadId)
      throw error
    } finally {
      heard.completeAnswered.set(this.#run, world.now)
    }
  }

  async abortUpload(
    { uploadId }: AbortUploadRequest,
    call: Call,
  ): Promise<void> {
    const { world, truth, heard } = this.#around
    const what = `Abort of ${uploadId}`
    heard.asksAbort(this.#run, uploadId, world.now)
    try {
      await this.#exchange({ name: 'abortUpload', what, call }, (by) =>
        truth.abortUpload(by, uploadId),
      )
    } catch (error) {
      heard.abortsFailed.add(uploadId)
      if (isOf(error, 'denied')) heard.deniesAbort(this.#run, uploadId)
      throw error
    }
  }

  listUploads(request: ListUploadsRequest, call: Call): Promise<UploadPage> {
    const what = 'ListMultipartUploads'
    return this.#exchange({ name: 'listUploads', what, call }, () =>
      this.#around.truth.listUploads(request),
    )
  }

  putObject(request: Put, call: Call): Promise<ObjectAnswer> {
    const what = 'PutObject'
    this.#around.makes(this.#process)
    if (request.mark === undefined)
      this.#around.heard.putUnmarked.add(this.#run)
    const { object } = request
    const { truth, world } = this.#around
    const sentAt = world.now
    return this.#send(
      { name: 'putObject', what, call, object },
      request,
      (by, bytes) => truth.putObject(by, { ...request, sentAt }, bytes),
    )
  }

  async headObject(key: string, call: Call): Promise<Head | undefined> {
    const { world, truth, heard } = this.#around
    const { headLag } = truth.traits
    let look: Look = { run: this.#run, at: 0, found: 'absent' }
    try {
      const head = await this.#exchange(
        { name: 'headObject', what: 'HEAD', call },
        () => {
          const found = truth.current(key, headLag) ?? 'absent'
          look = { ...look, at: world.now - headLag, found }
          return truth.headObject(key)
        },
      )
      heard.looks.push(look)
      return head
    } catch (error) {
      if (isOf(error, 'denied')) {
        heard.looks.push({ ...look, at: world.now, found: 'refused' })
      }
      throw error
    }
  }

  async close(): Promise<void> {
    // There are no connections.
  }

  /** The number of the run whose work the process is doing. */
  get #run(): number | undefined {
    return this.#around.actorOf(this.#process).run
  }

  async #send<A>(
    request: Request,
    {
      body,
      size,
      md5: given,
    }: { body: Body; size: number; md5?: string | undefined },
    effect: (by: Actor, bytes: Uint8Array) => A,
  ): Promise<A> {
    const fault = this.#begin(request)
    let bytes = await read(body, request.call.signal, fault?.body === 'cut')
    if (fault?.body !== 'cut' && bytes.length !== size) {
      throw new Error(`a body of ${bytes.length} bytes, announced were ${size}`)
    }
    if (fault?.body === 'damaged' && bytes.length > 0) {
      bytes = Uint8Array.from(bytes)
      bytes[0] = (bytes[0] ?? 0) ^ 1
      this.#around.truth.damaged.add(bytes)
    }
    const { comparesMd5 } = this.#around.truth.traits
    return this.#answer(request, fault, (by) => {
      const isDamaged =
        given !== undefined &&
        comparesMd5 &&
        md5(bytes).toString('base64') !== given
      if (isDamaged) throw problem(problems.badDigest)
      return effect(by, bytes)
    })
  }

  async #exchange<A>(request: Request, effect: (by: Actor) => A): Promise<A> {
    return this.#answer(request, this.#begin(request), effect)
  }

  /** The request leaves; what goes wrong with it is decided now. */
  #begin({ name, what, call, object }: Request): Chosen | undefined {
    call.signal.throwIfAborted()
    const { world, faultBudget, away } = this.#around
    const { name: who } = this.#around.actorOf(this.#process)
    if (away !== undefined && away.until > world.now) {
      world.tell(who, `${what}, which finds no store`)
      return { ...away.fault, random: new Random(0) }
    }
    const decision = world.decisions.at(
      `${this.#process.label}:${name}`,
      'fault',
      {
        most: faultBudget.most,
        likely: this.#around.likely(
          faultBudget.likely * faultyCalls[name],
          name,
        ),
      },
      () =>
        this.#around.lean(
          faults.filter(
            ({ calls, needs }) =>
              calls.includes(name) &&
              (needs === undefined || object?.[needs] !== undefined),
          ),
        ),
    )
    const fault = faults.find((one) => one.name === decision?.does)
    world.tell(
      who,
      `${what}${fault === undefined ? '' : `, which ${fault.story}`}`,
    )
    if (fault === undefined || decision === undefined) return undefined
    world.happens(fault.name, who)
    return { ...fault, random: new Random(decision.detail) }
  }

  #answer<A>(
    { name, what, call, uploadId }: Request,
    fault: Chosen | undefined,
    effect: (by: Actor) => A,
  ): Promise<A> {
    const { world, denied, heard, held } = this.#around
    const process = this.#process
    const by = this.#around.actorOf(process)
    const { signal, timeouts } = call
    this.#around.moment(`${name} sent`, process)
    return new Promise<A>((resolve, reject) => {
      signal.throwIfAborted()
      const settle = (act: () => void): void => {
        silence.isCancelled = true
        signal.removeEventListener('abort', onAbort)
        act()
      }
      const onAbort = (): void => settle(() => reject(signal.reason))
      // One signal may be that of many requests.
      setMaxListeners(0, signal)
      signal.addEventListener('abort', onAbort, { once: true })
      const silence = world.in(timeouts.headers, process, () =>
        settle(() => {
          world.tell(by.name, `gives up waiting for the answer to ${what}`)
          reject(new StoreError(`${what}: no answer.`, { kind: 'timeout' }))
        }),
      )
      const hear = (outcome: Outcome<A>): void => {
        const answer = this.#spoilt(outcome, what, fault)
        if (answer === undefined) return
        const arrive = (): void => {
          if (silence.isCancelled) return
          if (!heard.answered.has(by.run)) heard.answered.set(by.run, world.now)
          if (!answer.ok && isOf(answer.error, 'denied')) {
            heard.denies(by.run, name)
          }
          if (
            !answer.ok &&
            isOf(answer.error, 'no-upload') &&
            uploadId !== undefined
          ) {
            heard.saidGone.add(uploadId)
          }
          settle(() =>
            answer.ok ? resolve(answer.value) : reject(answer.error),
          )
        }
        if (fault?.slow === 'answer') world.in(slowness(fault), process, arrive)
        else world.soon(process, arrive)
      }
      const act = (): Outcome<A> => {
        const outcome = attempt(() => {
          if (denied.has(name)) throw problem(problems.denied)
          return effect(by)
        })
        world.tell(
          'the store',
          outcome.ok
            ? `has done ${what} of ${by.name}`
            : `refuses ${what} of ${by.name}: ${outcome.error.message}`,
        )
        this.#around.moment(`${name} done`, process)
        return outcome
      }
      if (fault?.effect === 'none') {
        hear({ ok: false, error: new StoreError(what, { kind: 'network' }) })
        return
      }
      if (fault?.effect === 'late') {
        process.sent(held.holdUp(fault.random.spread(500, 3_600_000), act))
        hear({ ok: false, error: new StoreError(what, { kind: 'network' }) })
        return
      }
      const arrives = (): void => {
        if (fault?.effect === 'twice') {
          heard.doubles(by.run, name)
          act()
        }
        hear(act())
      }
      process.sent(
        fault?.slow === 'request'
          ? world.in(slowness(fault), undefined, arrives)
          : world.soon(undefined, arrives),
      )
    })
  }

  /** What arrives of an answer; undefined when nothing does. */
  #spoilt<A>(
    outcome: Outcome<A>,
    what: string,
    fault: Chosen | undefined,
  ): Outcome<A> | undefined {
    if (fault === undefined) return outcome
    const { hears, spoil, random } = fault
    if (hears === 'nothing') return undefined
    if (hears !== undefined) {
      const text = `${what} failed: ${hears.serverCode ?? hears.kind}.`
      return { ok: false, error: new StoreError(text, hears) }
    }
    if (spoil === undefined || !outcome.ok) return outcome
    const spoilt = spoil(outcome.value as object, random) as A
    return { ok: true, value: spoilt }
  }
}

/** ms; as long as a client waits, or longer. */
function slowness({ random }: Chosen): number {
  return random.spread(50, 90_000)
}

function isOf(error: unknown, kind: StoreErrorKind): boolean {
  return error instanceof StoreError && error.kind === kind
}

/** Nothing can come of a request that was refused so, and nothing has. */
function isCertain(error: unknown): boolean {
  if (!(error instanceof StoreError)) return false
  const { kind, cause } = error
  const isUnsent =
    (cause as { code?: string } | undefined)?.code === 'ECONNREFUSED'
  const silent = ['network', 'timeout', 'response', 'no-upload']
  const busy = ['server', 'throttled', 'conflict']
  return isUnsent || ![...silent, ...busy].includes(kind)
}

type Chosen = Fault & { random: Random }

type Outcome<A> = { ok: true; value: A } | { ok: false; error: Error }

function attempt<A>(work: () => A): Outcome<A> {
  try {
    return { ok: true, value: work() }
  } catch (error) {
    return { ok: false, error: error as Error }
  }
}

/** All bytes of a body, or half of them. */
async function read(
  body: Body,
  signal: AbortSignal,
  isCut: boolean,
): Promise<Uint8Array> {
  const views: Uint8Array[] = []
  for await (const view of body()) {
    signal.throwIfAborted()
    views.push(Uint8Array.from(view))
    if (isCut) break
  }
  signal.throwIfAborted()
  return views.length === 1 && views[0] !== undefined
    ? views[0]
    : Buffer.concat(views)
}
