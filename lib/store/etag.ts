/**
 * ETags, as stores spell them: quoted or not, upper case on OSS, lower on S3; and what
 * those say that are made of MD5s.
 */

/** As callers are told it: the server's own spelling, without quotes. */
export function unquoted(etag: string): string {
  const text = etag.trim()
  const isQuoted = text.length > 1 && text.startsWith('"') && text.endsWith('"')
  return isQuoted ? text.slice(1, -1) : text
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
  return /^[0-9a-f]{32}$/i.test(unquoted(etag))
}

/**
 * Of how many parts an object is, by its ETag: 0, it was put whole; undefined for an
 * ETag that is not made of MD5s.
 */
export function partsIn(etag: string): number | undefined {
  if (isMd5Etag(etag)) return 0
  const parts = /^[0-9a-f]{32}-([1-9]\d*)$/.exec(bareEtag(etag))?.[1]
  return parts === undefined ? undefined : Number(parts)
}
