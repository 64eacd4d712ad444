import { isIP } from 'node:net'
import { isLoopback } from '../loopback.js'
import { apiError } from '../wire/api-error.js'
import { header, type RequestHead } from '../wire/request-head.js'
import { hostName, isOfficialHost } from '../wire/target.js'

/** Which requests are let in, since a web page can make a browser send them. */
export interface Admission {
  /** Other machines may, under any name. */
  readonly allowRemote: boolean
  /** Names that are bound to buckets. */
  readonly hosts: Readonly<Record<string, string>>
  /** Anybody can sign with its key: it is in the documentation. */
  isKeyPublic(): boolean
}

/**
 * Refuses what a web page may have sent. A page whose own name was made to mean
 * this machine shows in the Host header, any other page in Origin; with a key that
 * everybody knows a page could sign what it likes.
 */
export function checkOrigin({ headers }: RequestHead, rules: Admission): void {
  const host = header(headers, 'host')
  if (!rules.allowRemote && host !== undefined && !isOurs(host, rules)) {
    refuse(`This server is on loopback and is not called ${host}.`)
  }
  const origin = header(headers, 'origin')
  if (rules.isKeyPublic() && origin !== undefined && !isLocal(origin)) {
    refuse(`Pages of ${origin} need a server with a key of its own.`)
  }
}

/** Names that nobody else can make mean this machine. */
function isOurs(host: string, { hosts }: Admission): boolean {
  const name = hostName(host)
  return (
    isLoopback(name) ||
    isIP(name) !== 0 ||
    Object.hasOwn(hosts, name) ||
    isOfficialHost(name)
  )
}

function isLocal(origin: string): boolean {
  return URL.canParse(origin) && isLoopback(new URL(origin).hostname)
}

function refuse(message: string): never {
  return apiError('AccessDenied', { message })
}
