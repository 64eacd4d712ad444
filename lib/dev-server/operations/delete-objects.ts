import { ApiError, apiError } from '../wire/api-error.js'
import {
  childElements,
  decodeText,
  exactText,
  parseXml,
  type Element,
} from '../wire/read-xml.js'
import { emptyReply, xmlReply, type Reply } from '../wire/reply.js'
import { parentElement, textElement } from '../wire/xml.js'
import type { Context } from './context.js'
import { checkDeletion } from './delete-object.js'
import { checkVersion } from './names.js'
import { readText } from './receive.js'
import { nameWriter, type NameWriter } from './xml-names.js'

const maxKeys = 1000

interface Deletion {
  readonly key: string
  readonly versionId: string | undefined
  readonly etag: string | undefined
  /** Conditions that only other kinds of buckets have. */
  readonly isForeign: boolean
}

/** DeleteObjects: each by itself, so that some may fail. */
export async function deleteObjects(context: Context): Promise<Reply> {
  const { dialect } = context
  const names = nameWriter(context)
  requireDigest(context)
  const document = parseXml(await readText(context), 'Delete')
  const deletions = childElements(document, 'Object').map(readDeletion)
  if (deletions.length === 0 || deletions.length > maxKeys) {
    apiError('MalformedXML')
  }
  const isQuiet = decodeText(document['Quiet']).toLowerCase() === 'true'
  const outcomes = deletions.map((one) => deleteOne(context, one, names))
  const failed = outcomes.some(({ isError }) => isError)
  if (dialect.name === 'oss' && isQuiet && !failed) return emptyReply(200)
  return xmlReply(dialect, 'DeleteResult', [
    ...names.declaration,
    ...outcomes
      .filter(({ isError }) => isError || !isQuiet)
      .map(({ element }) => element),
  ])
}

/** S3 wants one of the body; one that is there has been compared by then. */
function requireDigest({ dialect, head }: Context): void {
  const has = Object.keys(head.headers).some(
    (name) =>
      name === 'content-md5' || /^x-amz-(checksum-|trailer$)/.test(name),
  )
  if (dialect.name === 's3' && !has) {
    apiError('InvalidRequest', {
      message: 'Missing required header for this request: Content-MD5',
    })
  }
}

function readDeletion(element: Element): Deletion {
  const key = exactText(element['Key'])
  if (key === '') apiError('MalformedXML')
  const text = (name: string): string | undefined =>
    Object.hasOwn(element, name) ? decodeText(element[name]) : undefined
  return {
    key,
    versionId: text('VersionId'),
    etag: text('ETag'),
    isForeign: ['LastModifiedTime', 'Size'].some((name) =>
      Object.hasOwn(element, name),
    ),
  }
}

interface Outcome {
  readonly isError: boolean
  readonly element: string
}

function deleteOne(
  context: Context,
  { key, versionId, etag, isForeign }: Deletion,
  names: NameWriter,
): Outcome {
  const { storage, bucket } = context
  const name = names.element('Key', key)
  try {
    checkVersion(versionId === '' ? undefined : versionId)
    if (isForeign) apiError('NotImplemented')
    if (etag !== undefined) checkDeletion(context, key, etag)
    if (storage.objects.delete(bucket, key)) context.applied()
    return { isError: false, element: parentElement('Deleted', [name]) }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const words = [
      textElement('Code', error.code),
      textElement('Message', error.message),
    ]
    return { isError: true, element: parentElement('Error', [name, ...words]) }
  }
}
