/** Where a bucket of S3 is, how it is addressed, and what it is called. */
import { invalidOption } from '../../errors.js'
import { checkBucket } from '../names.js'
import {
  checkPath,
  needsPathStyle,
  pathPrefixOf,
  parseEndpoint,
  type Addressing,
  type EndpointUrl,
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
  /** The endpoint's path, and `/bucket` for path style; not encoded. */
  pathPrefix: string
  /** One string for every AWS endpoint of a region's bucket. */
  identity: string
  isAws: boolean
  /** Cloudflare R2 on a host of its own. */
  isR2: boolean
}

/** Throws `PAWL_INVALID_OPTION` for options that contradict each other. */
export function resolveS3Endpoint({
  bucket,
  region,
  endpoint,
  addressing,
}: S3EndpointOptions): S3Endpoint {
  if (typeof region !== 'string' || !/^[a-zA-Z0-9._-]+$/.test(region)) {
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
  checkPath(url, bucket, addressing)
  if (style !== 'path' && hasTenant(bucket)) {
    invalidOption("bucket: a bucket of a tenant needs addressing 'path'.")
  }
  if (style === 'virtual' && needsPathStyle(url.hostname)) {
    invalidOption('addressing: an IP address or localhost needs path.')
  }
  const host = style === 'virtual' ? `${bucket}.${url.host}` : url.host
  const isAws = awsHost.test(url.hostname)
  return {
    origin: `${url.protocol}//${host}`,
    host,
    pathPrefix: pathPrefixOf(url, style, bucket),
    identity: identityOf({ url, isAws, region, bucket }),
    isAws,
    isR2: /(^|\.)r2\.cloudflarestorage\.com$/.test(url.hostname),
  }
}

/** Also dual-stack under either name, FIPS, acceleration and PrivateLink. */
const awsHost =
  /(^|\.)amazonaws\.com(\.cn)?$|(^|\.)s3[a-z0-9.-]*\.(api|on)\.aws$/

/** OSS's hosts for clients of S3; the region is in their name, if anywhere. */
const ossHost = /^s3\.oss-([a-z0-9-]+?)(-internal)?\.aliyuncs\.com$/

function identityOf({
  url: { host, hostname, path },
  isAws,
  region,
  bucket,
}: {
  url: EndpointUrl
  isAws: boolean
  region: string
  bucket: string
}): string {
  if (isAws) return `s3:${region}/${bucket}`
  const oss = ossHost.exec(hostname)?.[1]
  if (oss === undefined) return `s3:${host}${path}/${bucket}`
  const plain = /^accelerate(-overseas)?$/.test(oss)
    ? region.replace(/^oss-/, '')
    : oss
  return `s3:oss-${plain}/${bucket}`
}

/** Others that want the bucket before their name, and refuse it in the path. */
const virtualHosts = [
  ossHost,
  /(^|\.)cos\.[a-z0-9-]+\.myqcloud\.com$/,
  /(^|\.)tos-s3-[a-z0-9-]+\.(i?volces|bytepluses)\.com$/,
]

/**
 * In the path, unless the host is known to want it otherwise: where a wildcard in
 * the DNS leads every name to one server that reads the path alone, the first
 * name of a key would be taken for the bucket. A dot in the bucket is one level
 * more than a wildcard certificate covers.
 */
function defaultStyle(
  { protocol, hostname, path }: EndpointUrl,
  bucket: string,
): Addressing {
  if (virtualHosts.some((host) => host.test(hostname))) return 'virtual'
  const isDotted = protocol === 'https:' && bucket.includes('.')
  const isPlain = !isDotted && path === '' && !hasTenant(bucket)
  return awsHost.test(hostname) && isPlain ? 'virtual' : 'path'
}

/**
 * Throws `PAWL_INVALID_OPTION` for a name that no bucket can have. Ceph has
 * `tenant:bucket` (Ceph, "RGW Multi-tenancy"); AWS's directory buckets want
 * sessions and signatures of their own ("CreateSession").
 */
export function checkS3Bucket(bucket: string): void {
  if (typeof bucket === 'string' && /--(x|xa)-s3$/.test(bucket)) {
    invalidOption(
      'bucket: directory buckets (S3 Express One Zone) are not spoken; use a general purpose bucket.',
    )
  }
  checkBucket(hasTenant(bucket) ? bucket.replace(/^[^:]*:/, '') : bucket)
}

function hasTenant(bucket: string): boolean {
  return typeof bucket === 'string' && /^[A-Za-z0-9_]+:(?!.*:)/.test(bucket)
}
