/**
 * A store as one process sees it: requests that take their time, arrive or do
 * not, and answers that arrive or do not. What they do is `StoreTruth`'s.
 *
 * A request that has been sent goes on by itself: it is done also when its
 * client has given up or is dead.
 */
import { setMaxListeners } from 'node:events'
import { StoreError } from '../../../lib/store/store-error.js'
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
  /** Calls that are denied to us. */
  readonly denied: ReadonlySet<CallName>
  /** Whose work a process is doing. */
  actorOf(process: Process): Actor
  /** Something happened that others may react to. */
  moment(name: string, process: Process): void
  readonly faultBudget: { most: number; likely: number }
}

interface Request {
  readonly name: CallName
  readonly what: string
  readonly call: Call
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
  sentHeaders({ acl, forbidOverwrite }: ObjectOptions): Record<string, string> {
    return {
      ...(acl === undefined ? {} : { 'x-acl': acl }),
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

  uploadPart(request: Part, call: Call): Promise<PartAnswer> {
    const { uploadId, partNumber } = request
    const what = `part ${partNumber} of ${uploadId}`
    return this.#send(
      { name: 'uploadPart', what, call },
      request,
      (by, bytes) =>
        this.#around.truth.uploadPart(by, { uploadId, partNumber }, bytes),
    )
  }

  listParts(request: ListPartsRequest, call: Call): Promise<PartPage> {
    const what = `ListParts of ${request.uploadId}`
    return this.#exchange({ name: 'listParts', what, call }, () =>
      this.#around.truth.listParts(request),
    )
  }

  async completeUpload(
    request: CompleteUploadRequest,
    call: Call,
  ): Promise<ObjectAnswer> {
    const { truth } = this.#around
    const { uploadId } = request
    const what = `Complete of ${uploadId}`
    try {
      return await this.#exchange(
        { name: 'completeUpload', what, call },
        (by) => truth.completeUpload(by, request),
      )
    } catch (error) {
      if (!isCertain(error)) truth.completesUnsure.add(uploadId)
      throw error
    }
  }

  async abortUpload(
    { uploadId }: AbortUploadRequest,
    call: Call,
  ): Promise<void> {
    const { truth } = this.#around
    const what = `Abort of ${uploadId}`
    try {
      await this.#exchange({ name: 'abortUpload', what, call }, (by) =>
        truth.abortUpload(by, uploadId),
      )
    } catch (error) {
      truth.abortsFailed.add(uploadId)
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
    return this.#send({ name: 'putObject', what, call }, request, (by, bytes) =>
      this.#around.truth.putObject(by, request, bytes),
    )
  }

  headObject(key: string, call: Call): Promise<Head | undefined> {
    return this.#exchange({ name: 'headObject', what: 'HEAD', call }, () =>
      this.#around.truth.headObject(key),
    )
  }

  async close(): Promise<void> {
    // There are no connections.
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
  #begin({ name, what, call }: Request): Chosen | undefined {
    call.signal.throwIfAborted()
    const { world, faultBudget } = this.#around
    const { name: who } = this.#around.actorOf(this.#process)
    const decision = world.decisions.at(
      `${this.#process.label}:${name}`,
      'fault',
      {
        most: faultBudget.most,
        likely: faultBudget.likely * faultyCalls[name],
      },
      () => faults.filter(({ calls }) => calls.includes(name)),
    )
    const fault = faults.find((one) => one.name === decision?.does)
    world.tell(
      who,
      `${what}${fault === undefined ? '' : `, which ${fault.story}`}`,
    )
    if (fault === undefined || decision === undefined) return undefined
    world.happened.add(fault.name)
    return { ...fault, random: new Random(decision.detail) }
  }

  #answer<A>(
    { name, what, call }: Request,
    fault: Chosen | undefined,
    effect: (by: Actor) => A,
  ): Promise<A> {
    const { world, denied } = this.#around
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
        const heard = this.#heard(outcome, what, fault)
        if (heard === undefined) return
        world.soon(process, () => {
          if (silence.isCancelled) return
          settle(() => (heard.ok ? resolve(heard.value) : reject(heard.error)))
        })
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
        process.sent(
          world.in(fault.random.spread(500, 3_600_000), undefined, act),
        )
        hear({ ok: false, error: new StoreError(what, { kind: 'network' }) })
        return
      }
      process.sent(
        world.soon(undefined, () => {
          if (fault?.effect === 'twice') act()
          hear(act())
        }),
      )
    })
  }

  /** What arrives of an answer; undefined when nothing does. */
  #heard<A>(
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

/** Nothing can come of a request that was refused so. */
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
