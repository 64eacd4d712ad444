/** An endpoint as callers write it: a host, or a URL without a path. */
import { isIP } from 'node:net'
import { invalidOption } from '../errors.js'

export interface EndpointUrl {
  protocol: 'http:' | 'https:'
  /** With a port unless it is the scheme's own. */
  host: string
  hostname: string
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
  if (protocol !== 'http:' && protocol !== 'https:') {
    return invalidOption('endpoint: only http and https are spoken.')
  }
  const bare =
    url.username === '' &&
    url.password === '' &&
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === ''
  if (!bare || host === '') {
    return invalidOption(
      'endpoint: expected scheme, host and port only; the bucket has its own option.',
    )
  }
  return { protocol, host, hostname }
}

/** An IP address or this machine: no bucket can be put before its name. */
export function needsPathStyle(hostname: string): boolean {
  const ip = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0
  return ip || hostname === 'localhost'
}
