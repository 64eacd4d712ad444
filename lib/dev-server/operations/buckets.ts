import { apiError } from '../wire/api-error.js'
import { parseXml } from '../wire/read-xml.js'
import { emptyReply, xmlReply, type Reply } from '../wire/reply.js'
import { parentElement, textElement, xmlDocument } from '../wire/xml.js'
import { bucketElements, locationOf } from './bucket-elements.js'
import type { Context } from './context.js'
import { readText } from './receive.js'
import { person } from './xml-names.js'

/** CreateBucket; a second one changes nothing. */
export async function createBucket(context: Context): Promise<Reply> {
  const { bucket, storage, now } = context
  const text = await readText(context)
  // Where and of which class: there is one place here, and any class.
  if (text.trim() !== '') parseXml(text, 'CreateBucketConfiguration')
  if (!storage.hasBucket(bucket) || !isListed(context)) {
    storage.makeBucket(bucket, now)
    context.applied()
  }
  return emptyReply(200, { location: `/${bucket}` })
}

function isListed({ storage, bucket }: Context): boolean {
  return storage.buckets().some(({ name }) => name === bucket)
}

export function headBucket(context: Context): Reply {
  const name = `${context.dialect.prefix}bucket-region`
  return emptyReply(200, { [name]: locationOf(context) })
}

/**
 * DeleteBucket, of one without objects. OSS counts unfinished uploads as well; S3
 * drops them.
 */
export async function deleteBucket(context: Context): Promise<Reply> {
  const { bucket, dialect, storage } = context
  const isUploadedTo = storage.uploads
    .all()
    .some(({ record }) => record.bucket === bucket)
  const isEmpty =
    storage.objects.all(bucket).length === 0 &&
    !(dialect.name === 'oss' && isUploadedTo)
  if (!isEmpty) apiError('BucketNotEmpty', { extra: { BucketName: bucket } })
  context.applied()
  await storage.deleteBucket(bucket)
  return emptyReply(204)
}

/** GetBucketLocation: in S3 the first region has no name. */
export function getBucketLocation(context: Context): Reply {
  const { dialect } = context
  const location = locationOf(context)
  const text = location === 'us-east-1' ? '' : location
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: xmlDocument(
      'LocationConstraint',
      text === '' ? [] : [text],
      dialect.namespace,
    ),
  }
}

/** GetBucketVersioning: it was never switched on. */
export function getBucketVersioning({ dialect }: Context): Reply {
  return xmlReply(dialect, 'VersioningConfiguration', [])
}

/** GetBucketInfo, which S3 does not have. */
export function getBucketInfo(context: Context): Reply {
  const { bucket, dialect, storage } = context
  const time = storage.bucketTime(bucket)
  return xmlReply(dialect, 'BucketInfo', [
    parentElement('Bucket', [
      ...bucketElements(context, { name: bucket, time }),
      person('Owner'),
      parentElement('AccessControlList', [textElement('Grant', 'private')]),
    ]),
  ])
}
