/**
 * What is made of a source that has ended: the claimed object, one PutObject, or
 * a Complete. Nothing stored is given up before the caller has agreed to that.
 */
import { askBeforeComplete } from './before-complete.js'
import { finishClaim, finishUpload, finishWithPut } from './finish.js'
import type { OpenUpload } from './current-upload.js'
import { MemoryContent, type PartContent } from '../source/part-content.js'
import type { PartTaker } from './parts.js'
import type { Plan } from './open.js'
import type { RunContext } from './context.js'
import { mustBeAsStored } from './source-change.js'
import type { UploadResult } from '../options/result.js'

/** xxh64 of no bytes. */
const hashOfNothing = 'ef46db3751d8e999'

export interface EndedSource {
  taker: PartTaker
  upload: OpenUpload
  plan: Plan
  /** Parts taken, all of them stored or proved. */
  parts: number
  /** Bytes. */
  size: number
  /** All bytes, when they are less than a part. */
  whole: PartContent | undefined
}

export async function makeObject(
  context: RunContext,
  source: EndedSource,
): Promise<UploadResult> {
  const { taker, upload, parts, size } = source
  const { claim, reuse } = taker
  if (claim?.isWhole() === true) return finishClaim(context, claim, reuse)
  if (parts === 0 || source.whole !== undefined) {
    return putInstead(context, source)
  }
  if (claim !== undefined) {
    await askBeforeComplete(context, { size, crc64: claim.crc64With() })
    await taker.giveUpClaim()
  }
  const uploadId = await upload.id()
  const taken = { parts, size }
  return finishUpload(context, uploadId, taker.receipts, taken, reuse)
}

async function putInstead(
  context: RunContext,
  { taker, upload, plan, whole }: EndedSource,
): Promise<UploadResult> {
  const { digests } = context.settings.environment
  const content =
    whole ?? new MemoryContent(new Uint8Array(0), hashOfNothing, digests)
  const { reuse, claim } = taker
  await mustBeAllowed(context, content, plan)
  reuse.resumed = false
  const { uploadId } = upload
  const replaced =
    uploadId === undefined
      ? undefined
      : { uploadId, isCompleted: claim !== undefined }
  const result = await finishWithPut(context, content, reuse, replaced)
  upload.forget()
  return result
}

/** With `onSourceChange: 'fail'` part 1 has to be what was stored of it. */
async function mustBeAllowed(
  { settings }: RunContext,
  content: PartContent,
  plan: Plan,
): Promise<void> {
  if (settings.onSourceChange !== 'fail' || plan.mode === 'create') return
  const { parts, uploadId } = plan.upload
  const hash = await content.digest(settings.proof)
  const candidate = { size: content.size, hash }
  mustBeAsStored(settings, parts.get(1), candidate, uploadId)
}
