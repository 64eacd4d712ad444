/**
 * What the store has: all pages of an upload's parts, also beside the bytes that they
 * should be of, and what is under the key; and what its answers say beyond their kind.
 */
import { UploadError } from '../../errors.js'
import { hasMd5, md5Hex } from '../../hash/md5.js'
import { bareEtag } from '../../store/etag.js'
import type { ListedPart, ObjectStore } from '../../store/object-store.js'
import type { UploadSettings } from '../options/settings.js'
import type { Receipt } from '../rules/completing.js'
import { judgePart, type Listed, type Verdict } from '../rules/judge.js'
import {
  type ExpectedObject,
  type Found,
  type Seen,
  whose,
} from '../rules/proof.js'
import type { PartContent, TakenPart } from '../source/part-content.js'
import { kindOf, type RequestContext, type Requests } from './requests.js'

type CallBounds = Pick<RequestContext, 'signal' | 'attempts' | 'headersTimeout'>

/** For the errors of a look: what was looked for. */
type Sought = Partial<Pick<RequestContext, 'what' | 'uploadId'>>

/**
 * The parts by number; `gone` when the store has no such upload, `refused` when
 * it does not let this caller ask (no permission to list, or no such operation).
 * Wrong credentials and a missing bucket are failures, not refusals.
 */
export function listAllParts(
  requests: Requests,
  settings: Pick<UploadSettings, 'key' | 'store'>,
  uploadId: string,
  more: CallBounds = {},
): Promise<Listed | 'gone'> {
  return listParts(requests, settings, uploadId, [1, Infinity], more)
}

/** As `listAllParts`, of parts `first` to `last` alone, however many others there are. */
export async function listParts(
  requests: Requests,
  settings: Pick<UploadSettings, 'key' | 'store'>,
  uploadId: string,
  [first, last]: readonly [first: number, last: number],
  more: CallBounds = {},
): Promise<Listed | 'gone'> {
  const { key, store } = settings
  const parts = new Map<number, ListedPart>()
  let after: number | undefined = first === 1 ? undefined : first - 1
  try {
    do {
      const most = Number.isFinite(last) ? last - (after ?? 0) : undefined
      const { answer } = await requests.send(
        { what: 'the list of parts', uploadId, ...more },
        (call) => store.listParts({ key, uploadId, after, most }, call),
      )
      for (const part of answer.parts) {
        const { partNumber } = part
        if (partNumber >= first && partNumber <= last) {
          parts.set(partNumber, part)
        }
      }
      mustAdvance(store, after, answer.next)
      after = answer.next
    } while (after !== undefined && after < last)
    return parts
  } catch (error) {
    requests.throwIfStopped(more.signal)
    if (kindOf(error) === 'no-upload') return 'gone'
    if (mayNotList(error)) return 'refused'
    throw error
  }
}

/** ListParts is forbidden to this caller, or unknown to the store. A wrong secret is a failure. */
function mayNotList(error: unknown): boolean {
  const kind = kindOf(error)
  if (kind === 'unsupported') return true
  if (kind !== 'denied' || !(error instanceof UploadError)) return false
  return error.serverCode === 'AccessDenied'
}

/**
 * The receipt of a part that the store lists and no record speaks of; undefined when it
 * has to be sent. `hash`: of the bytes, by the upload's proof.
 */
export async function asListed(
  part: TakenPart,
  hash: string,
  there: ListedPart,
  { verify, crc }: Pick<UploadSettings, 'verify' | 'crc'>,
): Promise<Receipt | undefined> {
  const candidate = { size: part.size, hash }
  const verdict = judgePart(candidate, undefined, there, verify)
  if (verdict.do !== 'compare') return undefined
  return compared(part, verdict, { verify, crc })
}

/** What a stored part can be compared by is worked out with its hash, in one reading. */
export function expectComparison(
  content: PartContent,
  there: ListedPart,
  { proof, verify, crc }: Pick<UploadSettings, 'proof' | 'verify' | 'crc'>,
): void {
  if (proof === 'sha256') return
  if (there.crc64 !== undefined || crc.isWanted) content.expect(crc.variant)
  const isByMd5 = there.crc64 === undefined && hasMd5()
  if (isByMd5 || verify === 'md5') content.expect('md5')
}

/**
 * The receipt of a stored part; undefined when it is of other bytes than these. What this
 * run computes of each part it has in any case, so that the object's is known.
 */
export async function compared(
  { content, size }: TakenPart,
  { by, value, etag }: Extract<Verdict, { do: 'compare' }>,
  { verify, crc }: Pick<UploadSettings, 'verify' | 'crc'>,
): Promise<Receipt | undefined> {
  const [isByCrc, isByMd5] = [by === 'crc64', by === 'md5']
  const crc64 =
    isByCrc || crc.isWanted ? await content.digest(crc.variant) : undefined
  if (isByCrc && crc64 !== value) return undefined
  const md5 =
    isByMd5 || verify === 'md5'
      ? md5Hex(await content.digest('md5'))
      : undefined
  if (isByMd5 && md5 !== bareEtag(value)) return undefined
  return { size, etag, crc64, md5, check: by }
}

function mustAdvance(
  { identity }: ObjectStore,
  after: number | undefined,
  next: number | undefined,
): void {
  if (next === undefined || next > (after ?? 0)) return
  throw new UploadError(
    'PAWL_RESPONSE',
    `the list of parts from ${identity} does not advance: page after ${after ?? 0} is followed by ${next}`,
  )
}

/** HEAD of the key, tried again as any other call. */
export async function lookAt(
  requests: Requests,
  settings: UploadSettings,
  more: CallBounds & Sought = {},
): Promise<Found> {
  try {
    const { answer } = await requests.send({ what: 'HEAD', ...more }, (call) =>
      settings.store.headObject(settings.key, call),
    )
    return answer ?? 'absent'
  } catch (error) {
    requests.throwIfStopped(more.signal)
    if (isRefusedLook(error)) return 'refused'
    throw error
  }
}

/** HEAD of the key, and whose the object is that it shows. */
export async function lookFor(
  requests: Requests,
  settings: UploadSettings,
  expected: ExpectedObject,
  more: CallBounds & Sought = {},
): Promise<Seen> {
  const found = await lookAt(requests, settings, more)
  return whose(found, expected, settings.facts)
}

/** Abort, tried again as any other call. */
export async function abortUpload(
  requests: Requests,
  { key, store }: Pick<UploadSettings, 'key' | 'store'>,
  uploadId: string,
  more: CallBounds & Pick<RequestContext, 'onFailure'> = {},
): Promise<void> {
  await requests.send({ what: 'Abort', uploadId, ...more }, (call) =>
    store.abortUpload({ key, uploadId }, call),
  )
}

/** Whether a HEAD failed since this caller may not look, or nobody can. */
export function isRefusedLook(error: unknown): boolean {
  const kind = kindOf(error)
  return kind === 'denied' || kind === 'unsupported'
}

/** Why OSS refused a part of a sequential upload: it has one, or lacks one before it. */
export function sequenceFault({
  serverCode,
}: Pick<UploadError, 'serverCode'>):
  'stored-already' | 'out-of-sequence' | undefined {
  if (serverCode === 'PartAlreadyExist') return 'stored-already'
  return serverCode === 'PartNotSequential' ? 'out-of-sequence' : undefined
}

/** Whether an answer without an ETag says that the object is stored (OSS, 203). */
export function saysStored({ status }: Pick<UploadError, 'status'>): boolean {
  return status === 203
}

/** Whether AWS wants the upload begun anew: another request won against its Complete. */
export function wantsNewUpload({
  serverCode,
}: Pick<UploadError, 'serverCode'>): boolean {
  return serverCode === 'ConditionalRequestConflict'
}

/** Whether OSS keeps the object under a retention rule. */
export function isRetained({
  serverCode,
}: Pick<UploadError, 'serverCode'>): boolean {
  return serverCode === 'FileImmutable'
}
