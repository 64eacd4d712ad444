/** What of a run needed no request, counted and told. */
import type { PartEvent } from '../options/events.js'
import type { Piece } from '../source/part-content.js'
import type { RunContext } from './context.js'

export class Reuse {
  readonly #context: Pick<RunContext, 'emit' | 'progress'>
  #parts = 0
  #bytes = 0
  /** An earlier run's upload is gone on with, or its object claimed. */
  resumed: boolean

  constructor(
    context: Pick<RunContext, 'emit' | 'progress'>,
    resumed: boolean,
  ) {
    this.#context = context
    this.resumed = resumed
  }

  get parts(): number {
    return this.#parts
  }

  get bytes(): number {
    return this.#bytes
  }

  /** A part is passed over unread. */
  count(size: number): void {
    this.#parts++
    this.#bytes += size
    this.#context.progress.reused(size)
  }

  /** A part was stored before. */
  tell({ partNumber, offset, size }: Piece, etag: string): PartEvent {
    this.count(size)
    const where = { partNumber, offset, size }
    const event = { ...where, etag, reused: true, attempts: 0 }
    this.#context.emit('part', event)
    return event
  }
}
