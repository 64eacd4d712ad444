/**
 * What travels between the machines that upload one object together: a ticket to
 * whoever sends parts, receipts back to whoever completes. Both are JSON without a
 * secret, and both are input: whatever does not fit is refused before any request.
 */
import * as is from '../checkpoint/checks.js'
import type { Check } from '../checkpoint/checks.js'
import type { PartRecord } from '../checkpoint/record.js'
import { invalidOption, UploadError } from '../errors.js'
import type { ObjectStore } from '../store/object-store.js'
import { sha256 } from '../hash/sha256.js'

/** An upload that has begun, for whoever is to send parts of it. */
export interface Ticket {
  /** The form of tickets. */
  pawl: 1
  /** The store's identity. */
  store: string
  /** The object's key. */
  key: string
  /** The server's name for the upload. */
  uploadId: string
  /** What the object will carry; absent where the store takes no metadata. */
  mark?: string | undefined
  /** Bytes of the object. */
  size: number
  /** Bytes of every part but the last. */
  partSize: number
  /** How many parts there are. */
  parts: number
  /** SHA-256 of the caller's `sourceId`. */
  sourceId: string
}

/** A part that the store has, as `completeUpload` wants to know it. */
export interface PartReceipt {
  /** The upload that the part belongs to. */
  uploadId: string
  /** From 1. */
  number: number
  /** Bytes from the start of the object. */
  offset: number
  /** Bytes. */
  size: number
  /** Of the bytes, in hex: xxHash64, or SHA-256 with `proof: 'sha256'`. */
  hash: string
  /** As the server spelled it. */
  etag: string
  /** Unsigned decimal; absent when this upload computes none. */
  crc64?: string | undefined
  /** Hex; absent when this upload computes none. */
  md5?: string | undefined
  /** What was compared with the server. */
  check: 'crc64' | 'md5' | 'none'
}

type Shape<T> = { readonly [K in keyof T]-?: Check }

const ticketShape: Shape<Ticket> = {
  pawl: is.oneOf(1),
  store: is.isIdentity,
  key: is.isKey,
  uploadId: is.isUploadId,
  mark: is.optional(is.isHex32),
  size: is.isSize,
  partSize: is.isPartSize,
  parts: is.isPartNumber,
  sourceId: is.isSha256,
}

const receiptShape: Shape<PartReceipt> = {
  uploadId: is.isUploadId,
  number: is.isPartNumber,
  offset: is.isSize,
  size: is.isPartSize,
  hash: is.isProofHash,
  etag: is.isEtag,
  crc64: is.optional(is.isCrc64),
  md5: is.optional(is.isHex32),
  check: is.oneOf('none', 'md5', 'crc64'),
}

/** Of the caller's `sourceId`: by it all machines know that theirs is the same. */
export function digestOfId(sourceId: string | undefined): string {
  return sha256(JSON.stringify(sourceId ?? null))
}

/**
 * What the log has of the source. It holds the size as well: a ticket for fewer
 * bytes than the upload was begun for would make a short object, and all of its
 * receipts would fit.
 */
export function sourceDigest({
  size,
  sourceId,
}: Pick<Ticket, 'size' | 'sourceId'>): string {
  return sha256(JSON.stringify([size, sourceId]))
}

/** Where parts of a ticket may go. */
export interface TicketBounds {
  store: ObjectStore
  /** Of the keys. */
  prefix?: string | undefined
}

/** Throws `PAWL_INVALID_OPTION` for what cannot be one. */
export function mustBeTicket(value: unknown): asserts value is Ticket {
  if (typeof value === 'object' && value !== null && 'done' in value) {
    invalidOption(
      'there is no ticket: beginUpload() has found the object, and { done } is its result',
    )
  }
  mustHaveShape<Ticket>('the ticket', value, ticketShape)
}

/** Throws `PAWL_INVALID_OPTION` unless it is one for this store and prefix. */
export function checkTicket(
  ticket: Ticket,
  { store, prefix }: TicketBounds,
): void {
  const { key, size, partSize, parts } = ticket
  if (ticket.store !== store.identity) {
    invalidOption(
      `the ticket is for ${ticket.store}, and this store is ${store.identity}`,
    )
  }
  if (prefix !== undefined && !key.startsWith(prefix)) {
    invalidOption(
      `the ticket is for the key ${JSON.stringify(key)}, and only keys that begin with ${JSON.stringify(prefix)} are allowed here`,
    )
  }
  const { minPartSize, maxPartSize, maxParts } = store.limits
  if (partSize < minPartSize || partSize > maxPartSize || parts > maxParts) {
    invalidOption(
      `the ticket is for ${parts} parts of ${partSize} bytes; this store takes at most ${maxParts}, of ${minPartSize} to ${maxPartSize}`,
    )
  }
  if (parts !== Math.ceil(size / partSize)) {
    invalidOption(
      `the ticket does not add up: ${size} bytes are not ${parts} parts of ${partSize}`,
    )
  }
}

/** Where part `number` is in the object. */
export function pieceOf({ size, partSize }: Ticket, number: number) {
  const offset = (number - 1) * partSize
  return { offset, size: Math.min(partSize, size - offset) }
}

/**
 * All receipts of each part, in order. Throws `PAWL_INVALID_OPTION` for one that
 * is none, is of another upload, or not where its number says; and
 * `PAWL_INVALID_STATE` for the first part without any.
 */
export function receiptsByPart(
  receipts: unknown,
  ticket: Ticket,
): PartReceipt[][] {
  if (!Array.isArray(receipts)) invalidOption('receipts must be an array')
  const byPart: PartReceipt[][] = Array.from({ length: ticket.parts }, () => [])
  for (const receipt of receipts as readonly unknown[]) {
    mustHaveShape<PartReceipt>('a receipt', receipt, receiptShape)
    const { number, uploadId, offset, size } = receipt
    if (uploadId !== ticket.uploadId) {
      invalidOption(
        `the receipt of part ${number} is of upload ${uploadId}, and the ticket of ${ticket.uploadId}`,
      )
    }
    const piece = pieceOf(ticket, number)
    if (piece.offset !== offset || piece.size !== size) {
      invalidOption(
        `the receipt of part ${number} is of ${size} bytes from ${offset} on, expected ${piece.size} from ${piece.offset}`,
      )
    }
    byPart[number - 1]?.push(receipt)
  }
  const missing = byPart.findIndex((one) => one.length === 0) + 1
  if (missing > 0) {
    const { key, uploadId, parts } = ticket
    throw new UploadError(
      'PAWL_INVALID_STATE',
      `part ${missing} of ${parts} has no receipt; nothing was completed`,
      { key, uploadId, partNumber: missing },
    )
  }
  return byPart
}

/** As the log has it. */
export function recordOf(receipt: PartReceipt, run: number): PartRecord {
  const { number, offset, size, hash, etag, crc64, md5, check } = receipt
  const told = { number, offset, size, hash, etag, crc64, md5, check }
  return { type: 'part', ...told, run }
}

function mustHaveShape<T extends object>(
  what: string,
  value: unknown,
  shape: Shape<T>,
): asserts value is T {
  if (typeof value !== 'object' || value === null) {
    invalidOption(`${what} must be an object, as it was handed out`)
  }
  const fields = new Map<string, unknown>(Object.entries(value))
  for (const [name, check] of Object.entries<Check>(shape)) {
    if (!check(fields.get(name))) {
      invalidOption(`${what} has no ${name} that can be right`)
    }
  }
}
