/** Events that are worth a line of their own. */
import type { UploadEvents, UploadResult } from '../index.js'
import { plainText } from './plain-text.js'
import type { UploadEventName } from './reporter.js'
import { countOf, formatDuration, formatSize } from './units.js'

const reasons: Record<UploadEvents['restarted']['reason'], string> = {
  'options-changed': 'the options are not the ones it was begun with',
  'part-size': 'its part size does not fit any more',
  'equal-parts': 'the server wants parts of one size',
  'upload-gone': 'it is no longer on the server',
  'source-changed': 'the source is no longer what was uploaded',
  'log-damaged': 'its log was damaged',
}

/** Undefined for events that only move the figures. */
export function eventText<Name extends UploadEventName>(
  name: Name,
  event: UploadEvents[Name],
): string | undefined {
  const told: Partial<UploadEvents> = { [name]: event }
  if (told.resumed !== undefined) {
    const { parts, partSize, growth, newerObject } = told.resumed
    const asked = told.resumed.partSizeAsked
    const newer =
      newerObject === true ? '; the object there is newer than that upload' : ''
    const sizes =
      asked === undefined
        ? ''
        : `; its parts stay ${sizesText({ partSize, growth })}, not the ${formatSize(asked)} that were asked for`
    return `going on with an earlier upload, ${countOf(parts, 'part')} ${parts === 1 ? 'is' : 'are'} stored${sizes}${newer}`
  }
  if (told.restarted !== undefined) {
    return `starting over: ${reasons[told.restarted.reason]}`
  }
  if (told.left !== undefined) {
    const { uploadId, error } = told.left
    return `upload ${plainText(uploadId)}, which is no longer used, is left on the server, where it costs money (${error.code}); pawl abort removes it`
  }
  if (told.limit !== undefined) {
    const { bytesLeft, bytesMost } = told.limit
    return `half of its parts are used: ${formatSize(bytesLeft)} more have room, ${formatSize(bytesMost)} in all; what is longer needs --size, or a larger --part-size, from the start`
  }
  if (told.unmarked !== undefined) {
    const why =
      told.unmarked.reason === 'refused'
        ? 'the server takes no metadata'
        : 'its own metadata leaves no room for one'
    return `the object gets no mark: ${why}`
  }
  if (told.retry !== undefined) {
    const { partNumber, attempt, delay, failingFor, error } = told.retry
    const what = partNumber === undefined ? 'a request' : `part ${partNumber}`
    return `${what}: attempt ${attempt} failed (${error.code}: ${plainText(error.message)}), again ${soon(delay)}${awayText(failingFor)}`
  }
  return undefined
}

/** Such as `8 MiB (32 MiB from part 1001 on)`. */
export function sizesText({
  partSize,
  growth = [],
}: {
  partSize: number
  growth?: UploadEvents['resumed']['growth'] | undefined
}): string {
  if (growth.length === 0) return formatSize(partSize)
  const steps = growth.map(
    (step) => `${formatSize(step.partSize)} from part ${step.from} on`,
  )
  return `${formatSize(partSize)} (${steps.join(', ')})`
}

export function resultText(result: UploadResult, url: string): string {
  const { size, parts, partsReused, crc64, etag } = result
  const how =
    parts === 0
      ? 'one request'
      : `${countOf(parts, 'part')}, ${partsReused} reused`
  const sum = crc64 === undefined ? `etag ${plainText(etag)}` : `crc64 ${crc64}`
  return `${plainText(url)} (${formatSize(size)}, ${how}, ${sum})${leftText(result)}`
}

/** What a result leaves behind, and whether it is still what is there. */
function leftText({
  checkpointLeft,
  uploadsLeft = [],
  current,
}: UploadResult): string {
  const newer =
    current === false ? '; another object that is newer is under the key' : ''
  if (uploadsLeft.length > 0) {
    return `; its log is kept: ${countOf(uploadsLeft.length, 'earlier upload')} could not be aborted yet${newer}`
  }
  return `${checkpointLeft ? '; its log could not be removed' : ''}${newer}`
}

function soon(delay: number): string {
  return delay < 500 ? 'at once' : `in ${formatDuration(delay)}`
}

/** What a terminal shows of an outage that is waited out. */
function awayText(failingFor: number): string {
  if (failingFor < 1000) return ''
  return `; nothing was stored for ${formatDuration(failingFor)}`
}
