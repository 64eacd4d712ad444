import { createReadStream, openSync } from 'node:fs'
import type { ChecksumAlgorithm } from '../body/checksum-headers.js'
import type { Blob } from '../storage/receive-blob.js'
import type { ObjectRecord } from '../storage/records.js'
import { apiError, invalidArgument } from '../wire/api-error.js'
import { percentDecodeText } from '../wire/percent.js'
import { ownHeader, requireObject, type Context } from './context.js'
import { requireKey } from './customer-key.js'
import { checkBucketName, checkVersion, requireBucket } from './names.js'

/** The object that `copy-source` names: `[/]bucket/key[?versionId=…]`. */
export function readCopySource(context: Context): ObjectRecord {
  const name = `${context.dialect.prefix}copy-source`
  const text = ownHeader(context, 'copy-source') ?? ''
  const [, encoded = '', version] = /^([^?]*)(?:\?versionId=(.*))?$/.exec(
    text,
  ) ?? ['', '']
  const path = percentDecodeText(encoded.replace(/^\//, ''))
  const slash = path?.indexOf('/') ?? -1
  if (path === undefined || slash < 1 || slash === path.length - 1) {
    invalidArgument(name, text)
  }
  const bucket = path.slice(0, slash)
  checkBucketName(bucket)
  requireBucket(context, bucket)
  checkVersion(version)
  const { storage } = context
  const key = path.slice(slash + 1)
  const record = requireObject({ storage, bucket, key })
  requireKey(context, record.settings, 'copy-source-')
  return record
}

/**
 * Copies the source's bytes, `end` not included, into a file that is nobody's
 * yet. They are held open from the first turn on, so that they are those of this
 * record whatever becomes of the source.
 */
export async function receiveCopy(
  { storage }: Context,
  source: ObjectRecord,
  { start, end }: { start: number; end: number },
  algorithm: ChecksumAlgorithm | undefined,
): Promise<Blob> {
  const path = storage.objects.dataPath(source)
  if (path === undefined) apiError('InvalidObjectState')
  const bytes = createReadStream(path, {
    fd: openSync(path, 'r'),
    start,
    // An empty object has no last byte.
    ...(start < end ? { end: end - 1 } : {}),
  })
  try {
    return await storage.receive(
      bytes,
      algorithm === undefined ? [] : [algorithm],
    )
  } finally {
    bytes.destroy()
  }
}
