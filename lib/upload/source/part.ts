/** A piece of the object, cut and hashed. */
export interface Part {
  /** From 1. */
  readonly partNumber: number
  /** Bytes from the start of the object. */
  readonly offset: number
  /** Bytes; all parts but the last are of the same size. */
  readonly size: number
  /** The bytes. Valid until `release()`: afterwards they are another part's. */
  readonly data: Uint8Array
  /** xxHash64 of the bytes, 16 lower-case hex digits. */
  readonly xxh64: string
  /** Gives the memory back; nothing goes on while all of it is out. Idempotent. */
  release(): void
}

/** A part whose bytes need not lie together. */
export interface CutPart extends Omit<Part, 'data'> {
  /** The bytes, in order. Valid until `release()`. */
  readonly pieces: readonly Uint8Array[]
}
