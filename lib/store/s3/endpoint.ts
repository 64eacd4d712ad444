/** Where a bucket of S3 is, how it is addressed, and what it is called. */
import { invalidOption } from '../../errors.js'
import {
  needsPathStyle,
  parseEndpoint,
  type Addressing,
} from '../endpoint-url.js'

export interface S3EndpointOptions {
  bucket: string
  region: string
  endpoint?: string | undefined
  addressing?: Addressing | undefined
}

export interface S3Endpoint {
  origin: string
  /** The Host header, which is signed. */
  host: string
  /** `/bucket` for path style, else empty; not encoded. */
  pathPrefix: string
  /** One string for every AWS endpoint of a region's bucket. */
  identity: string
}

/** Throws `PAWL_INVALID_OPTION` for options that contradict each other. */
export function resolveS3Endpoint({
  bucket,
  region,
  endpoint,
  addressing,
}: S3EndpointOptions): S3Endpoint {
  if (!/^[a-zA-Z0-9._-]+$/.test(region)) {
    invalidOption('region: expected a name such as eu-central-1.')
  }
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  const url = parseEndpoint(endpoint ?? `s3.${region}.${domain}`)
  if (addressing === 'cname' && endpoint === undefined) {
    invalidOption('addressing: cname needs the domain as endpoint.')
  }
  const style = addressing ?? defaultStyle(url, bucket)
  if (!['virtual', 'path', 'cname'].includes(style)) {
    invalidOption('addressing: expected virtual, path or cname.')
  }
  if (style === 'virtual' && needsPathStyle(url.hostname)) {
    invalidOption('addressing: an IP address or localhost needs path.')
  }
  const host = style === 'virtual' ? `${bucket}.${url.host}` : url.host
  const aws = /(^|\.)amazonaws\.com(\.cn)?$/.test(url.hostname)
  return {
    origin: `${url.protocol}//${host}`,
    host,
    pathPrefix: style === 'path' ? `/${bucket}` : '',
    identity: aws ? `s3:${region}/${bucket}` : `s3:${url.host}/${bucket}`,
  }
}

/** A dot in the bucket is one level more than a wildcard certificate covers. */
function defaultStyle(
  { protocol, hostname }: { protocol: string; hostname: string },
  bucket: string,
): Addressing {
  const dotted = protocol === 'https:' && bucket.includes('.')
  return dotted || needsPathStyle(hostname) ? 'path' : 'virtual'
}
