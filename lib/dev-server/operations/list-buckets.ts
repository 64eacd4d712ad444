import type { Bucket } from '../storage/storage.js'
import { xmlReply, type Reply } from '../wire/reply.js'
import { parentElement, textElement } from '../wire/xml.js'
import { bucketElements, locationOf } from './bucket-elements.js'
import type { Context } from './context.js'
import { compareKeys, takePage } from './page.js'
import { pageSize, person } from './xml-names.js'

/** ListBuckets, which OSS calls GetService; both have pages, in their own words. */
export function listBuckets(context: Context): Reply {
  const { dialect, head, storage } = context
  const isS3 = dialect.name === 's3'
  const max = pageSize(context, isS3 ? 'max-buckets' : 'max-keys')
  const prefix = head.query.get('prefix') ?? ''
  const marker = isS3
    ? Buffer.from(
        head.query.get('continuation-token') ?? '',
        'base64',
      ).toString()
    : (head.query.get('marker') ?? '')
  const region = head.query.get('bucket-region')
  const isHere = region === undefined || region === locationOf(context)
  const page = takePage<Bucket>(isHere ? storage.buckets() : [], {
    prefix,
    delimiter: '',
    max,
    keyOf: ({ name }) => name,
    isAfter: ({ name }) => marker === '' || compareKeys(name, marker) > 0,
    lastPrefix: undefined,
  })
  const last = page.items.at(-1)?.name ?? ''
  const next = isS3
    ? textElement('ContinuationToken', Buffer.from(last).toString('base64'))
    : textElement('NextMarker', last)
  return xmlReply(dialect, 'ListAllMyBucketsResult', [
    ...(prefix === '' && isS3 ? [] : [textElement('Prefix', prefix)]),
    ...(isS3
      ? []
      : [
          textElement('Marker', marker),
          textElement('MaxKeys', max),
          textElement('IsTruncated', String(page.isTruncated)),
        ]),
    ...(page.isTruncated ? [next] : []),
    person('Owner'),
    parentElement(
      'Buckets',
      page.items.map((bucket) =>
        parentElement('Bucket', bucketElements(context, bucket)),
      ),
    ),
  ])
}
