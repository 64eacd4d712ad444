/**
 * The way to the server: a proxy and the authorities that are trusted, where the
 * command line or the environment names them. Without either the store has its
 * own connections.
 *
 * The URL of a proxy may hold a password: no text repeats it.
 */
import { readFile } from 'node:fs/promises'
import { EnvHttpProxyAgent, type Dispatcher } from 'undici'
import { reasonOf } from '../realm.js'
import { UploadError } from '../index.js'
import type { Environment } from './state-directory.js'

export interface Route {
  /** Undefined: the store's own connections. */
  dispatcher: Dispatcher | undefined
  close(): Promise<void>
}

export interface RouteOptions {
  /** A URL, or a host with a port. */
  proxy?: string | undefined
  /** A file of certificates, trusted in place of the ones that Node has. */
  ca?: string | undefined
}

/** ms to connect in, to the proxy too. */
const connectTimeout = 10_000

/** Rejects with `PAWL_INVALID_OPTION`. */
export async function openRoute(
  { proxy, ca: caFile }: RouteOptions,
  environment: Environment,
): Promise<Route> {
  const variable = (name: string) =>
    environment[name.toLowerCase()] || environment[name] || undefined
  const own = proxy === undefined ? undefined : proxyUrl(proxy, '--proxy')
  const ofEnvironment = (name: string): string | undefined => {
    const value = own === undefined ? variable(name) : undefined
    return value === undefined ? undefined : proxyUrl(value, name)
  }
  const http = own ?? ofEnvironment('HTTP_PROXY')
  const https = own ?? ofEnvironment('HTTPS_PROXY')
  const ca = caFile === undefined ? undefined : await certificates(caFile)
  if (http === undefined && https === undefined && ca === undefined) {
    return { dispatcher: undefined, close: async () => {} }
  }
  const tls = ca === undefined ? {} : { ca }
  const dispatcher = new EnvHttpProxyAgent({
    // Empty is none; undefined would be what this process has.
    httpProxy: http ?? '',
    httpsProxy: https ?? http ?? '',
    // A proxy that is named on the command line is meant.
    noProxy: own === undefined ? (variable('NO_PROXY') ?? '') : '',
    // Plain HTTP goes to a proxy as it is: many of them open tunnels for TLS alone.
    proxyTunnel: false,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { ...tls, timeout: connectTimeout },
    requestTls: { ...tls, timeout: connectTimeout },
    proxyTls: { ...tls, timeout: connectTimeout },
  })
  return { dispatcher, close: () => dispatcher.destroy() }
}

function proxyUrl(text: string, from: string): string {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.canParse(full) ? new URL(full) : undefined
  if (url === undefined || url.hostname === '') {
    refuse(`${from}: expected the URL of a proxy, such as http://host:port`)
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    refuse(
      `${from}: ${url.protocol.slice(0, -1)} proxies are not spoken to; expected http:// or https://`,
    )
  }
  return url.href
}

async function certificates(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    const why = reasonOf(cause)
    return refuse(`the file of authorities ${path} cannot be read: ${why}`)
  })
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  return refuse(`${path} holds no certificate in PEM form`)
}

function refuse(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
