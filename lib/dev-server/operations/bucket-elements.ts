import type { Bucket } from '../storage/storage.js'
import { header } from '../wire/request-head.js'
import { textElement } from '../wire/xml.js'
import type { Context } from './context.js'

const defaultRegions = { s3: 'us-east-1', oss: 'cn-hangzhou' }

/** Where a bucket is, in the dialect's words. */
export function locationOf({ dialect, region }: Context): string {
  // A signature may name anything.
  const isName = region !== undefined && /^[a-z0-9-]+$/.test(region)
  const name = isName ? region : defaultRegions[dialect.name]
  return dialect.name === 'oss' ? `oss-${name}` : name
}

/** What lists of buckets say of one. */
export function bucketElements(
  context: Context,
  { name, time }: Bucket,
): readonly string[] {
  const date = textElement('CreationDate', new Date(time).toISOString())
  const location = locationOf(context)
  if (context.dialect.name === 's3') {
    return [
      textElement('Name', name),
      date,
      textElement('BucketRegion', location),
    ]
  }
  const host = header(context.head.headers, 'host') ?? ''
  return [
    date,
    // The server is where it was asked, from inside and outside.
    textElement('ExtranetEndpoint', host),
    textElement('IntranetEndpoint', host),
    textElement('Location', location),
    textElement('Name', name),
    textElement('StorageClass', context.dialect.defaultStorageClass),
  ]
}
