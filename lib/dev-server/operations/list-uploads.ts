import type { Upload } from '../storage/upload.js'
import { xmlReply, type Reply } from '../wire/reply.js'
import { parentElement, textElement } from '../wire/xml.js'
import type { Context } from './context.js'
import { compareKeys, takePage } from './page.js'
import { nameWriter, pageSize, person } from './xml-names.js'

/** ListMultipartUploads: by key, then upload ID. */
export function listUploads(context: Context): Reply {
  const { bucket, dialect, head, storage } = context
  const names = nameWriter(context)
  const max = pageSize(context, 'max-uploads')
  const prefix = head.query.get('prefix') ?? ''
  const delimiter = head.query.get('delimiter') ?? ''
  const keyMarker = head.query.get('key-marker') ?? ''
  // Without a key marker the other one means nothing.
  const idMarker =
    keyMarker === '' ? '' : (head.query.get('upload-id-marker') ?? '')
  const uploads = storage.uploads
    .all()
    .filter((upload) => upload.record.bucket === bucket)
    .toSorted(compareUploads)
  const page = takePage(uploads, {
    prefix,
    delimiter,
    max,
    keyOf: (upload) => upload.record.key,
    isAfter: ({ record }) => {
      const order = keyMarker === '' ? 1 : compareKeys(record.key, keyMarker)
      return (
        order > 0 ||
        (order === 0 && idMarker !== '' && record.uploadId > idMarker)
      )
    },
    lastPrefix:
      delimiter !== '' && keyMarker.endsWith(delimiter) && idMarker === ''
        ? keyMarker
        : undefined,
  })
  const { last } = page
  const nextKey =
    last === undefined
      ? ''
      : 'item' in last
        ? last.item.record.key
        : last.prefix
  const nextId =
    last !== undefined && 'item' in last ? last.item.record.uploadId : ''
  return xmlReply(dialect, 'ListMultipartUploadsResult', [
    ...names.declaration,
    textElement('Bucket', bucket),
    names.element('KeyMarker', keyMarker),
    textElement('UploadIdMarker', idMarker),
    names.element('NextKeyMarker', nextKey),
    textElement('NextUploadIdMarker', nextId),
    names.element('Delimiter', delimiter),
    names.element('Prefix', prefix),
    textElement('MaxUploads', max),
    textElement('IsTruncated', String(page.isTruncated)),
    ...page.items.map(({ record }) =>
      parentElement('Upload', [
        names.element('Key', record.key),
        textElement('UploadId', record.uploadId),
        ...(dialect.name === 's3'
          ? [person('Initiator'), person('Owner')]
          : []),
        textElement(
          'StorageClass',
          record.settings.storageClass ?? dialect.defaultStorageClass,
        ),
        textElement('Initiated', new Date(record.time).toISOString()),
      ]),
    ),
    ...page.prefixes.map((common) =>
      parentElement('CommonPrefixes', [names.element('Prefix', common)]),
    ),
  ])
}

function compareUploads({ record: a }: Upload, { record: b }: Upload): number {
  return compareKeys(a.key, b.key) || (a.uploadId < b.uploadId ? -1 : 1)
}
