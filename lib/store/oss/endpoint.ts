/** Where a bucket of OSS is, how it is addressed, and what it is called. */
import { invalidOption } from '../../errors.js'
import {
  checkPath,
  needsPathStyle,
  pathPrefixOf,
  parseEndpoint,
  type Addressing,
  type EndpointUrl,
} from '../endpoint-url.js'

export interface OssEndpointOptions {
  bucket: string
  region?: string | undefined
  endpoint?: string | undefined
  internal?: boolean | undefined
  accelerate?: boolean | undefined
  addressing?: Addressing | undefined
}

export interface OssEndpoint {
  /** What connections are made to. */
  origin: string
  /** The Host header. */
  host: string
  /** The endpoint's path, and `/bucket` for path style; not encoded. */
  pathPrefix: string
  /** Signed; undefined when neither given nor part of the endpoint. */
  region: string | undefined
  product: 'oss' | 'oss-cloudbox'
  /** One string for every endpoint of a region's bucket. */
  identity: string
}

/** Throws `PAWL_INVALID_OPTION` for options that contradict each other. */
export function resolveOssEndpoint(options: OssEndpointOptions): OssEndpoint {
  const { bucket } = options
  const given = plainRegion(options.region)
  const url = endpointUrl(options, given)
  const known = knownHost(url.hostname)
  // A box signs with its own ID, wherever it stands.
  const region =
    known.product === 'oss-cloudbox' ? known.region : (given ?? known.region)
  const style = addressingOf(options.addressing, url)
  checkPath(url, bucket, options.addressing)
  const host = style === 'virtual' ? `${bucket}.${url.host}` : url.host
  return {
    origin: `${url.protocol}//${host}`,
    host,
    pathPrefix: pathPrefixOf(url, style, bucket),
    region,
    product: known.product,
    identity:
      known.aliyun && style !== 'cname'
        ? `oss:${region ?? url.hostname}/${bucket}`
        : `oss:${url.host}${url.path}/${bucket}`,
  }
}

function endpointUrl(
  options: OssEndpointOptions,
  region: string | undefined,
): EndpointUrl {
  const { bucket, endpoint, internal = false, accelerate = false } = options
  if (endpoint === undefined) {
    if (options.addressing === 'cname') {
      invalidOption('addressing: cname needs the domain as endpoint.')
    }
    if (internal && accelerate) {
      invalidOption('internal and accelerate exclude each other.')
    }
    if (region === undefined) {
      return invalidOption('region: required when there is no endpoint.')
    }
    const name = accelerate
      ? 'oss-accelerate'
      : `oss-${region}${internal ? '-internal' : ''}`
    return parseEndpoint(`${name}.aliyuncs.com`)
  }
  if (internal || accelerate) {
    invalidOption('internal and accelerate only go without an endpoint.')
  }
  const url = parseEndpoint(endpoint)
  // Consoles show the endpoint with the bucket before it.
  const own = `${bucket}.`
  return knownHost(url.hostname.slice(own.length)).aliyun &&
    url.hostname.startsWith(own)
    ? {
        ...url,
        host: url.host.slice(own.length),
        hostname: url.hostname.slice(own.length),
      }
    : url
}

/** Users write `oss-cn-hangzhou` where `cn-hangzhou` is meant. */
function plainRegion(region: string | undefined): string | undefined {
  if (region === undefined) return undefined
  const plain =
    typeof region === 'string' ? region.replace(/^oss-/, '') : undefined
  if (plain === undefined || !/^[a-z0-9-]+$/.test(plain)) {
    return invalidOption('region: expected a name such as cn-hangzhou.')
  }
  return plain
}

interface KnownHost {
  aliyun: boolean
  region?: string | undefined
  product: 'oss' | 'oss-cloudbox'
}

function knownHost(hostname: string): KnownHost {
  // As the SDKs tell one ("updateProduct" of the SDK for Go).
  const box = /^(cb-[^.]+)\.[^.]+\.oss-cloudbox(?:-control)?\.aliyuncs\.com$/
  const cloudbox = box.exec(hostname)?.[1]
  if (cloudbox !== undefined) {
    return { aliyun: true, region: cloudbox, product: 'oss-cloudbox' }
  }
  const product = 'oss'
  if (/^oss-accelerate(-overseas)?\.aliyuncs\.com$/.test(hostname)) {
    return { aliyun: true, product }
  }
  const region = regionHosts
    .map((host) => host.exec(hostname)?.[1])
    .find((found) => found !== undefined)
  return { aliyun: region !== undefined, region, product }
}

/**
 * Hosts with the region in their name: public, internal and those of a VPC in
 * their old form (OSS documentation, "Regions and endpoints"), dual-stack, and
 * PrivateLink's, whose region may be a zone of it (PrivateLink's API,
 * `EndpointDomain` and `ZoneDomain`).
 */
const regionHosts = [
  /^(?:vpc100-)?oss-([a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com$/,
  /^([a-z0-9-]+)\.oss\.aliyuncs\.com$/,
  /^ep-(?:[a-z0-9-]+\.)+([a-z0-9-]+?)(?:-[a-z])?\.privatelink\.aliyuncs\.com$/,
]

function addressingOf(
  addressing: Addressing | undefined,
  url: EndpointUrl,
): Addressing {
  const { hostname } = url
  const path = needsPathStyle(hostname)
  if (knownHost(hostname).aliyun && url.path !== '') {
    invalidOption('endpoint: the hosts of OSS itself have no path.')
  }
  if (addressing === undefined) {
    return path || url.path !== '' ? 'path' : 'virtual'
  }
  if (!['virtual', 'path', 'cname'].includes(addressing)) {
    invalidOption('addressing: expected virtual, path or cname.')
  }
  if (addressing === 'virtual' && path) {
    invalidOption('addressing: an IP address or localhost needs path.')
  }
  if (addressing === 'path' && knownHost(hostname).aliyun) {
    invalidOption('addressing: OSS itself refuses path style; use virtual.')
  }
  return addressing
}
