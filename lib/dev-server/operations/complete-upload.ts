import { rm } from 'node:fs/promises'
import { checksumElement } from '../body/checksum-headers.js'
import { hexToDecimal } from '../body/digests.js'
import { concatenate } from '../storage/concatenate.js'
import { incomingPath } from '../storage/directory.js'
import type { ObjectRecord, PartRecord } from '../storage/records.js'
import type { Upload } from '../storage/upload.js'
import { percentEncode } from '../wire/percent.js'
import { xmlReply, type Reply } from '../wire/reply.js'
import { header } from '../wire/request-head.js'
import { textElement } from '../wire/xml.js'
import { answerCallback, readCallback } from './callback.js'
import { checkOverwrite, requireUpload, type Context } from './context.js'
import {
  checkPromises,
  joinedChecksum,
  joinedCrc64,
  joinedEtag,
} from './joined-checksums.js'
import { selectParts } from './part-selection.js'
import { readText } from './receive.js'
import { encryptionReply, readAcl } from './settings.js'
import { nameWriter } from './xml-names.js'

/**
 * CompleteMultipartUpload. The object appears by one rename, and the upload is
 * gone after it; a refusal changes nothing. Work once begun goes on when the
 * client goes away.
 */
export async function completeUpload(context: Context): Promise<Reply> {
  const upload = requireUpload(context)
  const names = nameWriter(context)
  const callback = readCallback(context)
  const text = await readText(context)
  const record = await upload.exclusively(() => join(context, upload, text))
  const { dialect, bucket, key, head } = context
  const headers = {
    etag: dialect.etag(record.etag),
    ...crcHeader(record, context),
    ...encryptionReply(record.settings, dialect),
  }
  if (callback !== undefined) {
    return answerCallback(context, callback, record, headers)
  }
  const host = header(head.headers, 'host') ?? ''
  const { checksum } = record
  return xmlReply(
    dialect,
    'CompleteMultipartUploadResult',
    [
      ...names.declaration,
      textElement(
        'Location',
        `http://${host}/${bucket}/${percentEncode(key, true)}`,
      ),
      textElement('Bucket', bucket),
      names.element('Key', key),
      textElement('ETag', headers.etag),
      ...(checksum === undefined
        ? []
        : [
            textElement(checksumElement(checksum.algorithm), checksum.value),
            textElement('ChecksumType', checksum.type),
          ]),
    ],
    headers,
  )
}

/** The object's CRC-64, in OSS's dialect. */
export function crcHeader(
  { crc64 }: ObjectRecord,
  { dialect }: Context,
): Record<string, string> {
  return dialect.name === 'oss' && crc64 !== undefined
    ? { 'x-oss-hash-crc64ecma': hexToDecimal(crc64) }
    : {}
}

async function join(
  context: Context,
  upload: Upload,
  text: string,
): Promise<ObjectRecord> {
  const { bucket, key, storage } = context
  const parts = selectParts(context, upload, text)
  checkOverwrite(context)
  const record = await describe(context, upload, parts)
  const path = storage.discard ? undefined : incomingPath(storage.directory)
  if (path !== undefined) {
    const sources = parts.map((part) => upload.partPath(part))
    await concatenate(sources, path, record.size)
  }
  try {
    // Somebody may have made the object meanwhile.
    checkOverwrite(context)
  } catch (error) {
    if (path !== undefined) await rm(path, { force: true })
    throw error
  }
  storage.objects.put(record, path)
  context.applied()
  await storage.uploads.remove(upload)
  return storage.objects.get(bucket, key) ?? record
}

async function describe(
  context: Context,
  upload: Upload,
  parts: readonly PartRecord[],
): Promise<ObjectRecord> {
  const { bucket, key } = context
  const size = parts.reduce((sum, part) => sum + part.size, 0)
  const acl = readAcl(context)
  const crc64 = joinedCrc64(parts)
  const checksum = await joinedChecksum(upload.record, parts)
  checkPromises(context, checksum, size)
  return {
    bucket,
    key,
    size,
    etag: joinedEtag(parts),
    type: 'Multipart',
    ...(crc64 === undefined ? {} : { crc64 }),
    ...(checksum === undefined ? {} : { checksum }),
    time: context.now,
    settings: {
      ...upload.record.settings,
      ...(acl === undefined ? {} : { acl }),
    },
  }
}
