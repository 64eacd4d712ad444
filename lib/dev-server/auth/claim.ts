/** What a signed request says about itself, before it is believed. */
export interface Claim {
  readonly accessKeyId: string
  readonly token: string | undefined
  /** ms since 1970 of signing; undefined where the form has none. */
  readonly time: number | undefined
  /** ms since 1970, of presigned requests. */
  readonly expires: number | undefined
  /** Of the scope; undefined in V1. */
  readonly region: string | undefined
  /** The payload field: `UNSIGNED-PAYLOAD`, a digest or a way of streaming. */
  readonly payload: string
  readonly signature: string
  /** What the signature has to be under this secret. */
  sign(secret: string): Signed
}

/** Texts are binary strings: one character for each byte that is signed. */
export interface Signed {
  readonly signature: string
  readonly stringToSign: string
  readonly canonicalRequest?: string
}

const basicIso = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/

/** ms of `20240102T030405Z`; undefined for anything else. */
export function parseBasicIso(text: string): number | undefined {
  const match = basicIso.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second] = match
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(ms) ? undefined : ms
}

/** Text as the bytes of its UTF-8, one character each. */
export function binary(text: string): string {
  return Buffer.from(text).toString('latin1')
}
