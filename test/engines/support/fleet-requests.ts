/**
 * What a server is asked for of the files of a fleet, and what of that is repeated.
 * Requests are counted and forgotten: those for a million files fill a memory.
 */
import type { Fault, SeenRequest } from '../../../lib/dev-server/index.js'

/** Answers are looked for when so many have been waited for. */
const mostOpen = 10_000

/** How often the body of a file or a part has come, and has been stored. */
interface Body {
  begun: number
  made: number
}

export class FleetRequests {
  /** Uploads in parts that were begun. */
  uploads = 0
  /** Objects that were asked for and were there. */
  proved = 0
  /** Objects that were asked for and were not there. */
  missed = 0
  readonly #numberOf: (key: string) => number | undefined
  /** By number. */
  readonly #files: Record<keyof Body, Uint8Array>
  /** By number of the file and of the part. */
  readonly #parts = new Map<string, Body>()
  #open: SeenRequest[] = []

  /** `numberOf` says which file is to become an object. */
  constructor(count: number, numberOf: (key: string) => number | undefined) {
    this.#numberOf = numberOf
    this.#files = {
      begun: new Uint8Array(count),
      made: new Uint8Array(count),
    }
  }

  /** For a server that is to behave: hears of each request. */
  readonly fault = (request: SeenRequest): Fault | undefined => {
    if (this.#numberOf(request.key ?? '') === undefined) return undefined
    this.#open.push(request)
    if (this.#open.length >= mostOpen) this.#settle(false)
    return undefined
  }

  /** What was never answered is over, too: nobody is there who sends. */
  end(): void {
    this.#settle(true)
  }

  #settle(isEnd: boolean): void {
    const open = this.#open
    this.#open = []
    for (const request of open) {
      const isOver = request.applied || request.status !== undefined
      if (isOver || isEnd) this.#count(request)
      else this.#open.push(request)
    }
  }

  #count(request: SeenRequest): void {
    const { operation, key = '', partNumber, status, applied } = request
    const n = this.#numberOf(key) ?? 0
    if (operation === 'CreateMultipartUpload') this.uploads += 1
    if (operation === 'HeadObject' && status === 200) this.proved += 1
    if (operation === 'HeadObject' && status === 404) this.missed += 1
    if (operation === 'PutObject') {
      this.#files.begun[n] = Number(this.#files.begun[n]) + 1
      if (applied) this.#files.made[n] = Number(this.#files.made[n]) + 1
    }
    if (operation === 'UploadPart') {
      const name = `${n} ${partNumber}`
      const part = this.#parts.get(name) ?? { begun: 0, made: 0 }
      part.begun += 1
      if (applied) part.made += 1
      this.#parts.set(name, part)
    }
  }

  /** Different parts. */
  get parts(): number {
    return this.#parts.size
  }

  /** Different bodies, of files and of parts. */
  get bodies(): number {
    return this.parts + this.#files.begun.filter((n) => n > 0).length
  }

  /** Files that were made, and parts that were stored, more often than once. */
  get madeAgain(): { files: number; parts: number } {
    return this.#again('made')
  }

  /** Bodies that came more often than once, whole or not. */
  get begunAgain(): number {
    const { files, parts } = this.#again('begun')
    return files + parts
  }

  #again(what: keyof Body): { files: number; parts: number } {
    const more = (sum: number, times: number): number =>
      sum + Math.max(0, times - 1)
    const parts = [...this.#parts.values()].map((part) => part[what])
    return {
      files: this.#files[what].reduce(more, 0),
      parts: parts.reduce(more, 0),
    }
  }
}
