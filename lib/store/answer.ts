/** An HTTP answer, collected while it arrives. */

export interface HttpAnswer {
  status: number
  /** Names in lower case; repeated ones joined by a comma. */
  headers: Readonly<Record<string, string>>
  body: Buffer
  /** False when the connection broke before the last byte of a refusal. */
  complete: boolean
}

export class AnswerReader {
  readonly #maxBytes: number
  readonly #headers: Record<string, string> = Object.create(null)
  readonly #chunks: Buffer[] = []
  #status = 0
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get started(): boolean {
    return this.#status !== 0
  }

  /** The final status is here and it is not a success. */
  get refused(): boolean {
    return this.#status >= 300
  }

  start(
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx come before the answer proper.
    if (status < 200) return
    this.#status = status
    for (const [name, value] of Object.entries(headers)) {
      if (value === undefined) continue
      this.#headers[name.toLowerCase()] = Array.isArray(value)
        ? value.join(', ')
        : value
    }
  }

  /** False when the cap is passed; the chunk is then not kept. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length
    if (this.#bytes > this.#maxBytes) return false
    this.#chunks.push(chunk)
    return true
  }

  take(complete: boolean): HttpAnswer {
    return {
      status: this.#status,
      headers: this.#headers,
      body: Buffer.concat(this.#chunks),
      complete,
    }
  }
}
