/** An endpoint as callers write it: a host, or a URL, with a path or without. */
import { isIP } from 'node:net'
import { invalidOption } from '../errors.js'

export interface EndpointUrl {
  protocol: 'http:' | 'https:'
  /** With a port unless it is the scheme's own. */
  host: string
  hostname: string
  /** Before everything else in a request's path: empty, or `/a/b`; not encoded. */
  path: string
}

/**
 * How a bucket is named in the URL: before the host (`virtual`), in the path
 * (`path`), or by a host name bound to it (`cname`).
 */
export type Addressing = 'virtual' | 'path' | 'cname'

/** Throws `PAWL_INVALID_OPTION`; https when no scheme is given. */
export function parseEndpoint(endpoint: string): EndpointUrl {
  const text = /^[a-z]+:\/\//i.test(endpoint) ? endpoint : `https://${endpoint}`
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return invalidOption('endpoint: expected a host name or a URL.')
  }
  const { protocol, host, hostname } = url
  const path = decodedPath(url.pathname)
  if (protocol !== 'http:' && protocol !== 'https:') {
    return invalidOption('endpoint: only http and https are spoken.')
  }
  const bare =
    url.username === '' &&
    url.password === '' &&
    url.search === '' &&
    url.hash === ''
  if (!bare || host === '' || path === undefined) {
    return invalidOption(
      'endpoint: expected scheme, host, port and path only; the bucket has its own option.',
    )
  }
  return { protocol, host, hostname, path }
}

/** Without the slash at its end; undefined for what cannot be a path. */
function decodedPath(pathname: string): string | undefined {
  const path = pathname.replace(/\/$/, '')
  if (path.includes('//')) return undefined
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

/** What a request's path begins with. */
export function pathPrefixOf(
  { path }: EndpointUrl,
  style: Addressing,
  bucket: string,
): string {
  return style === 'path' ? `${path}/${bucket}` : path
}

/**
 * Throws `PAWL_INVALID_OPTION` for the bucket in the endpoint, where it would be
 * in the path twice, unless the caller says what the path is by `addressing`.
 */
export function checkPath(
  { path }: EndpointUrl,
  bucket: string,
  addressing: Addressing | undefined,
): void {
  if (addressing === undefined && path.endsWith(`/${bucket}`)) {
    invalidOption(
      "endpoint: ends with the bucket, which has its own option; leave it out, or say addressing: 'path'.",
    )
  }
}

/** An IP address or this machine: no bucket can be put before its name. */
export function needsPathStyle(hostname: string): boolean {
  const ip = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0
  return ip || hostname === 'localhost'
}
