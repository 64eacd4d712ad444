import { rm } from 'node:fs/promises'
import { checksumElement } from '../body/checksum-headers.js'
import { hexToBase64 } from '../body/digests.js'
import { concatenate } from '../storage/concatenate.js'
import { incomingPath } from '../storage/directory.js'
import type {
  JoinedPart,
  ObjectRecord,
  PartRecord,
} from '../storage/records.js'
import type { Upload } from '../storage/upload.js'
import { percentEncode } from '../wire/percent.js'
import { xmlReply, type Reply } from '../wire/reply.js'
import { header } from '../wire/request-head.js'
import { textElement } from '../wire/xml.js'
import { answerCallback, readCallback } from './callback.js'
import { requireUpload, type Context } from './context.js'
import { checkUploadKey } from './customer-key.js'
import {
  checkPromises,
  joinedChecksum,
  joinedCrc64,
  joinedEtag,
} from './joined-checksums.js'
import { crcHeader } from './object-headers.js'
import { parsePartList, selectParts } from './part-selection.js'
import { readText } from './receive.js'
import { readAcl, serviceKeyReply } from './settings.js'
import { guardWrite } from './write-guard.js'
import { nameWriter, type NameWriter } from './xml-names.js'

/**
 * CompleteMultipartUpload. The object appears by one rename, and the upload is
 * gone after it; a refusal changes nothing. Work once begun goes on when the
 * client goes away.
 */
export async function completeUpload(context: Context): Promise<Reply> {
  const names = nameWriter(context)
  const before = completedBefore(context)
  if (before !== undefined) {
    parsePartList(await readText(context, true))
    return completeReply(context, before, names)
  }
  const upload = requireUpload(context)
  checkUploadKey(context, upload.record.settings)
  const callback = readCallback(context)
  const text = await readText(context, true)
  const record = await joinOnce(context, upload, text)
  return callback === undefined
    ? completeReply(context, record, names)
    : answerCallback(
        context,
        callback,
        record,
        completeHeaders(context, record),
      )
}

/** Of two that come at once the later one finds what the first one made. */
async function joinOnce(
  context: Context,
  upload: Upload,
  text: string,
): Promise<ObjectRecord> {
  try {
    return await upload.exclusively(() => join(context, upload, text))
  } catch (error) {
    const done = upload.isOpen ? undefined : completedBefore(context)
    if (done === undefined) throw error
    return done
  }
}

/**
 * S3 answers a repeated Complete as it did the first one, while the object is
 * there: the first answer may have been lost.
 */
function completedBefore(context: Context): ObjectRecord | undefined {
  const { bucket, key, dialect, head, storage } = context
  if (dialect.name !== 's3') return undefined
  const uploadId = head.query.get('uploadId')
  const record = storage.objects.get(bucket, key)
  return record?.uploadId === uploadId ? record : undefined
}

function completeHeaders(
  context: Context,
  record: ObjectRecord,
): Record<string, string> {
  return {
    etag: context.dialect.etag(record.etag),
    ...crcHeader(record, context),
    ...serviceKeyReply(record.settings, context.dialect),
  }
}

function completeReply(
  context: Context,
  record: ObjectRecord,
  names: NameWriter,
): Reply {
  const { dialect, bucket, key, head } = context
  const headers = completeHeaders(context, record)
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
      textElement('ETag', dialect.etag(record.etag)),
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

async function join(
  context: Context,
  upload: Upload,
  text: string,
): Promise<ObjectRecord> {
  const { storage } = context
  const parts = selectParts(context, upload, text)
  const recheck = guardWrite(context)
  const record = await describe(context, upload, parts)
  const path = storage.discard ? undefined : incomingPath(storage.directory)
  if (path !== undefined) {
    const sources = parts.map((part) => upload.partPath(part))
    await concatenate(sources, path, record.size)
  }
  try {
    recheck()
  } catch (error) {
    if (path !== undefined) await rm(path, { force: true })
    throw error
  }
  storage.objects.put(record, path)
  context.applied()
  await storage.uploads.remove(upload)
  return record
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
    parts: parts.map(joinedPart),
    uploadId: upload.record.uploadId,
    time: context.now,
    settings: {
      ...upload.record.settings,
      ...(acl === undefined ? {} : { acl }),
    },
  }
}

function joinedPart({ partNumber, size, checksum }: PartRecord): JoinedPart {
  const value =
    checksum === undefined ? {} : { checksum: hexToBase64(checksum.hex) }
  return { partNumber, size, ...value }
}
