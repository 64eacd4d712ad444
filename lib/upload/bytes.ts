/** `uploadBytes`: the same upload as the stream's, from memory or a Blob. */
import { isAnyArrayBuffer } from 'node:util/types'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { invalidOption, UploadError } from '../errors.js'
import { isDetached, messageOf } from '../realm.js'
import type { UploadResult } from '../upload-result.js'
import {
  readListeners,
  typeByName,
  withContentType,
} from './options/settings.js'
import { checkBytesOptions, eventNames } from './options/option-names.js'
import type { UploadBytesOptions } from './options/options.js'
import {
  createResumableUploadStream,
  type ResumableUploadStream,
} from './stream.js'

/** Bytes handed on at once: a view of memory, or read of a Blob. */
const pieceSize = 1024 * 1024

/** What is asked of a Blob: Node's, a File of a form, one of a library. */
export interface BlobLike {
  /** Bytes. */
  readonly size: number
  /** The content type; empty when unknown. */
  readonly type: string
  /** A part of it, from an offset to before another. */
  slice(start: number, end: number): BlobLike
  /** Reads it. */
  arrayBuffer(): Promise<ArrayBuffer>
}

/** What {@link uploadBytes} takes: a Buffer, a typed array, an ArrayBuffer, a Blob. */
export type Bytes = ArrayBufferView | ArrayBufferLike | BlobLike

/**
 * Uploads bytes that are in memory, or a Blob, which is read as it is sent. They
 * may be changed while they are uploaded: the object is what was read of them.
 *
 * With a `checkpoint` the same call with the same bytes goes on where an earlier
 * one stopped, in another process too. Rejects with an `UploadError`:
 * `PAWL_INVALID_OPTION` for bad options and for anything but bytes,
 * `PAWL_SOURCE_IO` for a Blob that cannot be read, `PAWL_SUSPENDED` after
 * `signal`. When it has settled, the same call may be made again.
 *
 * @example
 * await uploadBytes(Buffer.from(JSON.stringify(report)), {
 *   store: ossStore({ region: 'cn-hangzhou', bucket: 'examplebucket' }),
 *   key: 'reports/today.json',
 * })
 */
export async function uploadBytes(
  bytes: Bytes,
  options: UploadBytesOptions,
): Promise<UploadResult> {
  checkBytesOptions(options)
  const emit = readListeners(options)
  const { on: _on, onProgress: _, checkpoint = false, ...others } = options
  const source = sourceOf(bytes)
  const upload = createResumableUploadStream({
    ...others,
    checkpoint,
    size: source.size,
    object: withContentType(
      others.object,
      source.type === '' ? typeByName(others.key) : source.type,
    ),
  })
  for (const name of eventNames) {
    upload.on(name, (event) => emit(name, event))
  }
  const isLogged = checkpoint !== false
  await pipeline(Readable.from(piecesOf(source, upload, isLogged)), upload)
    // `result` tells it, and has more to say.
    .catch(() => undefined)
  return upload.result
}

interface Source {
  size: number
  type: string
  read: (from: number, to: number) => Uint8Array | Promise<Uint8Array>
}

function sourceOf(bytes: unknown): Source {
  if (ArrayBuffer.isView(bytes) || isAnyArrayBuffer(bytes)) {
    if (isDetached(bytes)) {
      invalidOption(
        'uploadBytes(bytes, options): these bytes were transferred to somebody else, and are not here any more',
      )
    }
    const whole = ArrayBuffer.isView(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes)
    return {
      size: whole.length,
      type: '',
      read: (from, to) => whole.subarray(from, to),
    }
  }
  if (isBlob(bytes)) {
    const { size, type } = bytes
    return {
      size,
      type,
      read: async (from, to) =>
        new Uint8Array(await bytes.slice(from, to).arrayBuffer()),
    }
  }
  return invalidOption(
    'uploadBytes(bytes, options): a Buffer, a typed array, an ArrayBuffer or a Blob is required; Buffer.from(text) makes one of a text',
  )
}

function isBlob(value: unknown): value is BlobLike {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'size') === 'number' &&
    typeof Reflect.get(value, 'type') === 'string' &&
    typeof Reflect.get(value, 'slice') === 'function' &&
    typeof Reflect.get(value, 'arrayBuffer') === 'function'
  )
}

async function* piecesOf(
  { size, read }: Source,
  upload: ResumableUploadStream,
  isLogged: boolean,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += pieceSize) {
    try {
      yield await read(at, Math.min(size, at + pieceSize))
    } catch (cause) {
      // A Blob of a file that has changed since, for one.
      const { uploadId } = upload
      throw new UploadError(
        'PAWL_SOURCE_IO',
        `the bytes from ${at} on cannot be read: ${messageOf(cause)}`,
        { cause, uploadId, resumable: isLogged && uploadId !== undefined },
      )
    }
  }
}
