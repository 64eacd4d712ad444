import { rm } from 'node:fs/promises'
import {
  checksumElement,
  toAlgorithm,
  type ChecksumAlgorithm,
} from '../body/checksum-headers.js'
import type { ObjectRecord, ObjectSettings } from '../storage/records.js'
import { apiError, invalidArgument } from '../wire/api-error.js'
import { xmlReply, type Reply } from '../wire/reply.js'
import { textElement } from '../wire/xml.js'
import { ownHeader, type Context } from './context.js'
import { readCopySource, receiveCopy } from './copy-source.js'
import { describeBlob } from './describe-blob.js'
import { crcHeader } from './object-headers.js'
import { unchangedCopy } from './read-conditions.js'
import { encryptionReply, readSettings } from './settings.js'
import { guardWrite } from './write-guard.js'

const maxSource = 5 * 2 ** 30

/**
 * CopyObject. The copy is one piece, whatever its source was made of, and appears
 * at once like any object.
 */
export async function copyObject(context: Context): Promise<Reply> {
  const recheck = guardWrite(context)
  const source = readCopySource(context)
  const unchanged = unchangedCopy(context, source)
  if (unchanged !== undefined) return unchanged
  const settings = copySettings(context, source)
  if (source.size > maxSource) {
    apiError('InvalidRequest', {
      message: `The specified copy source is larger than the maximum allowable size for a copy source: ${maxSource}`,
    })
  }
  const record = await copyBytes(context, source, settings, recheck)
  return copyReply(context, record)
}

async function copyBytes(
  context: Context,
  source: ObjectRecord,
  settings: ObjectSettings,
  recheck: () => void,
): Promise<ObjectRecord> {
  const { storage } = context
  const algorithm = checksumAlgorithm(context, source)
  const all = { start: 0, end: source.size }
  const blob = await receiveCopy(context, source, all, algorithm)
  try {
    recheck()
    const record = describeBlob(context, blob, algorithm, settings)
    storage.objects.put(record, blob.path)
    context.applied()
    return record
  } catch (error) {
    if (blob.path !== undefined) await rm(blob.path, { force: true })
    throw error
  }
}

/** S3's checksum: the one that is asked for, or that of the source. */
function checksumAlgorithm(
  context: Context,
  source: ObjectRecord,
): ChecksumAlgorithm | undefined {
  const name = ownHeader(context, 'checksum-algorithm')
  if (context.dialect.name === 'oss') return undefined
  if (name === undefined) return source.checksum?.algorithm
  return (
    toAlgorithm(name) ??
    apiError('InvalidRequest', {
      message: 'Checksum algorithm provided is unsupported.',
    })
  )
}

/** Metadata and tags come from the source unless the request replaces them. */
function copySettings(context: Context, source: ObjectRecord): ObjectSettings {
  const asked = readSettings(context)
  const isNew = replaces(context, 'metadata-directive')
  const hasNewTags = replaces(context, 'tagging-directive')
  const { tags: askedTags, ...rest } = asked
  const tags = hasNewTags ? askedTags : source.settings.tags
  const settings: ObjectSettings = {
    ...rest,
    ...(isNew
      ? {}
      : {
          headers: source.settings.headers,
          metadata: source.settings.metadata,
        }),
    ...(tags === undefined ? {} : { tags }),
  }
  if (!isNew) refuseNothing(context, source, asked)
  return settings
}

function replaces(context: Context, name: string): boolean {
  const text = ownHeader(context, name)
  const word = text?.toUpperCase() ?? 'COPY'
  return ['COPY', 'REPLACE'].includes(word)
    ? word === 'REPLACE'
    : invalidArgument(context.dialect.prefix + name, text ?? '')
}

/** S3 does not copy an object to itself if that changes nothing. */
function refuseNothing(
  { dialect, bucket, key }: Context,
  source: ObjectRecord,
  { storageClass, encryption, customerKeyMd5 }: ObjectSettings,
): void {
  const isSame = source.bucket === bucket && source.key === key
  const isChanged =
    storageClass !== undefined ||
    customerKeyMd5 !== undefined ||
    Object.keys(encryption).length > 0
  if (dialect.name === 'oss' || !isSame || isChanged) return
  apiError('InvalidRequest', {
    message:
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
  })
}

function copyReply(context: Context, record: ObjectRecord): Reply {
  const { dialect } = context
  const { checksum } = record
  return xmlReply(
    dialect,
    'CopyObjectResult',
    [
      textElement('LastModified', new Date(record.time).toISOString()),
      textElement('ETag', dialect.etag(record.etag)),
      ...(checksum === undefined || dialect.name === 'oss'
        ? []
        : [
            textElement(checksumElement(checksum.algorithm), checksum.value),
            textElement('ChecksumType', checksum.type),
          ]),
    ],
    {
      ...(dialect.name === 'oss' ? { etag: dialect.etag(record.etag) } : {}),
      ...crcHeader(record, context),
      ...encryptionReply(record.settings, dialect),
    },
  )
}
