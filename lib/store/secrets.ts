/**
 * What went out with a request and must not come back in an error, an event or a
 * log. Servers echo it: in a Code, an ID, a Message, as a whole or in part. So a
 * run of sixteen characters of a secret is cut out of an answer before anything
 * of it is read; what is left in its place is refused by every reader of IDs.
 */
import type { HttpAnswer } from './answer.js'
import type { Credentials } from './credentials.js'
import { cutMark, isErrorDocument } from './server-error.js'

/** So many characters in a row are no chance. */
const run = 16
/** Bodies beyond are pages of lists: only whole secrets are looked for. */
const closely = 64 * 1024
/** Half a run: whatever has a run of a text has one of its halves at such a place. */
const half = run / 2
/** Texts up to this, in characters, are looked through by halves first. */
const short = 1024

/** Secrets by their runs; values shorter than one cannot be told from other text. */
class Runs {
  readonly #values: readonly string[]
  /** Worked out when a text may have one. */
  #runs: Set<string> | undefined

  constructor(values: readonly (string | undefined)[]) {
    const folded: string[] = []
    for (const value of values) {
      if (value === undefined) continue
      const encoded = encodeURIComponent(value)
      for (const text of encoded === value ? [value] : [value, encoded]) {
        if (text.length >= run) folded.push(text.toLowerCase())
      }
    }
    this.#values = folded
  }

  has(text: string): boolean {
    this.#runs ??= runsOf(this.#values)
    return this.#runs.has(text)
  }

  /** False: no run of a secret is in the text. */
  mayBeIn(text: string): boolean {
    for (let at = 0; at + half <= text.length; at += half) {
      const part = text.slice(at, at + half)
      for (const value of this.#values) if (value.includes(part)) return true
    }
    return false
  }

  isWholeIn(text: string): boolean {
    return this.#values.some((value) => text.includes(value))
  }
}

function runsOf(values: readonly string[]): Set<string> {
  const runs = new Set<string>()
  for (const value of values) {
    for (let at = 0; at + run <= value.length; at++) {
      runs.add(value.slice(at, at + run))
    }
  }
  return runs
}

/** Worked out once for many requests: a token has thousands of runs. */
const known = new WeakMap<Credentials, Runs>()

/** Of one request. */
export class Secrets {
  readonly #runs: readonly Runs[]
  readonly #accessKeyId: string

  /** `headers` as they were sent, signed. */
  constructor(
    credentials: Credentials,
    headers: Readonly<Record<string, string>>,
  ) {
    const { id, secret, token } = credentials
    const lasting = known.get(credentials) ?? new Runs([secret, token])
    known.set(credentials, lasting)
    const authorization = headers['authorization'] ?? ''
    const signature = /(?:Signature=|^OSS [^:]*:)([^,\s]+)/.exec(authorization)
    const customerKey = headers['x-amz-server-side-encryption-customer-key']
    this.#runs = [lasting, new Runs([signature?.[1], customerKey])]
    this.#accessKeyId = id
  }

  /** The answer without them. */
  cleaned(answer: HttpAnswer): HttpAnswer {
    const { headers } = answer
    const cut: Record<string, string> = {}
    for (const name of Object.keys(headers)) {
      const value = headers[name] ?? ''
      const left = this.cut(value)
      if (left !== value) cut[name] = left
    }
    const body = this.#cutBody(answer)
    const isClean = body === answer.body && Object.keys(cut).length === 0
    return isClean
      ? answer
      : { ...answer, headers: { ...headers, ...cut }, body }
  }

  cut(text: string): string {
    if (text.length < run) return text
    const folded = text.toLowerCase()
    const isShort = text.length <= short
    if (isShort && !this.#runs.some((runs) => runs.mayBeIn(folded))) return text
    let kept = ''
    let from = 0
    for (let at = 0; at + run <= folded.length; at++) {
      if (!this.#has(folded, at)) continue
      let last = at
      while (this.#has(folded, last + 1)) last++
      kept += text.slice(from, at) + cutMark
      from = last + run
      at = from - 1
    }
    return from === 0 ? text : kept + text.slice(from)
  }

  #has(text: string, at: number): boolean {
    const part = text.slice(at, at + run)
    return this.#runs.some((runs) => runs.has(part))
  }

  #cutBody({ status, body }: HttpAnswer): Buffer {
    if (body.length === 0) return body
    // One character a byte: lengths stay what they are.
    const text = body.toString('latin1')
    let cut = text
    if (body.length <= closely || this.#isWholeIn(text)) cut = this.cut(text)
    // No secret, but nothing that belongs into the text of an error.
    const isRefusal = status >= 300 || isErrorDocument(body)
    if (isRefusal && this.#accessKeyId.length >= 8) {
      cut = cut.replaceAll(this.#accessKeyId, cutMark)
    }
    return cut === text ? body : Buffer.from(cut, 'latin1')
  }

  #isWholeIn(text: string): boolean {
    const folded = text.toLowerCase()
    return this.#runs.some((runs) => runs.isWholeIn(folded))
  }
}
