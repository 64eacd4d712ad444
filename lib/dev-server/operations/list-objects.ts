import type { ObjectRecord } from '../storage/records.js'
import { invalidArgument } from '../wire/api-error.js'
import type { Dialect } from '../wire/dialect.js'
import { xmlReply, type Reply } from '../wire/reply.js'
import { parentElement, textElement } from '../wire/xml.js'
import type { Context } from './context.js'
import { compareKeys, takePage } from './page.js'
import { nameWriter, pageSize, person } from './xml-names.js'

/** ListObjects in both versions; a continuation token is a key in base64. */
export function listObjects(context: Context): Reply {
  const { bucket, dialect, head, storage } = context
  const names = nameWriter(context)
  const max = pageSize(context, 'max-keys')
  const prefix = head.query.get('prefix') ?? ''
  const delimiter = head.query.get('delimiter') ?? ''
  const type = head.query.get('list-type')
  const isV2 = type === '2'
  if (type !== undefined && !isV2) invalidArgument('list-type', type)
  const isOwnerListed = !isV2 || head.query.get('fetch-owner') === 'true'
  const token = head.query.get('continuation-token')
  const startAfter = head.query.get('start-after')
  const marker = isV2
    ? token === undefined
      ? (startAfter ?? '')
      : Buffer.from(token, 'base64').toString()
    : (head.query.get('marker') ?? '')
  const objects = storage.objects
    .all(bucket)
    .toSorted((a, b) => compareKeys(a.key, b.key))
  const page = takePage(objects, {
    prefix,
    delimiter,
    max,
    keyOf: (record) => record.key,
    isAfter: (record) => marker === '' || compareKeys(record.key, marker) > 0,
    lastPrefix:
      delimiter !== '' && marker.endsWith(delimiter) ? marker : undefined,
  })
  const { last, isTruncated } = page
  const next =
    last === undefined ? '' : 'item' in last ? last.item.key : last.prefix
  const nextToken = Buffer.from(next).toString('base64')
  return xmlReply(dialect, 'ListBucketResult', [
    ...names.declaration,
    textElement('Name', bucket),
    names.element('Prefix', prefix),
    ...(isV2
      ? [
          textElement('KeyCount', page.items.length + page.prefixes.length),
          ...(token === undefined
            ? []
            : [textElement('ContinuationToken', token)]),
          ...(startAfter === undefined
            ? []
            : [names.element('StartAfter', startAfter)]),
          ...(isTruncated
            ? [textElement('NextContinuationToken', nextToken)]
            : []),
        ]
      : [
          names.element('Marker', marker),
          ...(isTruncated ? [names.element('NextMarker', next)] : []),
        ]),
    textElement('MaxKeys', max),
    names.element('Delimiter', delimiter),
    textElement('IsTruncated', String(isTruncated)),
    ...page.items.map((record) =>
      parentElement('Contents', [
        names.element('Key', record.key),
        ...contents(record, dialect),
        ...(isOwnerListed ? [person('Owner')] : []),
      ]),
    ),
    ...page.prefixes.map((common) =>
      parentElement('CommonPrefixes', [names.element('Prefix', common)]),
    ),
  ])
}

function contents(record: ObjectRecord, dialect: Dialect): string[] {
  const { storageClass = dialect.defaultStorageClass } = record.settings
  return [
    textElement('LastModified', new Date(record.time).toISOString()),
    textElement('ETag', dialect.etag(record.etag)),
    ...(dialect.name === 'oss' ? [textElement('Type', record.type)] : []),
    textElement('Size', record.size),
    textElement('StorageClass', storageClass),
  ]
}
