/** ETags as stores spell them: quoted or not, upper case on OSS, lower on S3. */
import { createHash } from 'node:crypto'

/** As callers are told it: the server's own spelling, without quotes. */
export function unquoted(etag: string): string {
  return etag.trim().replace(/^"(.*)"$/, '$1')
}

/** Without quotes, in lower case; for comparing, never for sending back. */
export function bareEtag(etag: string): string {
  return unquoted(etag).toLowerCase()
}

export function sameEtag(a: string, b: string): boolean {
  return bareEtag(a) === bareEtag(b)
}

/** Whether it can be the MD5 of some bytes. */
export function isMd5Etag(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(bareEtag(etag))
}

/** The ETag that stores give an object of parts whose ETags are MD5s. */
export function multipartEtag(etags: readonly string[]): string {
  const hash = createHash('md5')
  for (const etag of etags) hash.update(Buffer.from(bareEtag(etag), 'hex'))
  return `${hash.digest('hex')}-${etags.length}`
}

/** A Content-MD5, which is base64, as ETags and logs spell it. */
export function md5Hex(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex')
}

/** What the log keeps of the ETags that a Complete names: SHA-256, hex. */
export function etagsDigest(etags: readonly string[]): string {
  return createHash('sha256').update(etags.join('\n')).digest('hex')
}
