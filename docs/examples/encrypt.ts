/**
 * Client-side encryption that gives the same bytes in each run: HMAC-SHA-256 over
 * the plaintext is the synthetic IV of AES-256-CTR, as in SIV mode (RFC 5297). An object is
 * 32 bytes of synthetic IV and the ciphertext.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  timingSafeEqual,
  type Hmac,
} from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { Transform, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  createResumableUploadStream,
  type UploadResult,
  type UploadStreamOptions,
} from 'pawl'

const ivLength = 32

/** The master key is 32 bytes from `randomBytes(32)`, kept where no object is. */
function plaintextMac(masterKey: Buffer, objectKey: string): Hmac {
  const macKey = derived(masterKey, 'mac', Buffer.alloc(0), 32)
  const name = Buffer.from(objectKey)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(name.length)
  // The length keeps a name and the bytes after it apart.
  return createHmac('sha256', macKey).update(length).update(name)
}

/** Another plaintext has another synthetic IV, and so another key and counter. */
function cipherKey(masterKey: Buffer, syntheticIv: Buffer) {
  const bytes = derived(masterKey, 'aes-256-ctr', syntheticIv, 48)
  return { key: bytes.subarray(0, 32), counter: bytes.subarray(32) }
}

function derived(
  masterKey: Buffer,
  purpose: string,
  context: Buffer,
  length: number,
): Buffer {
  if (masterKey.length !== 32) throw new Error('a master key has 32 bytes')
  const info = Buffer.concat([Buffer.from(`backup v1 ${purpose} `), context])
  return Buffer.from(hkdfSync('sha256', masterKey, '', info, length))
}

export async function uploadEncrypted(
  path: string,
  masterKey: Buffer,
  options: UploadStreamOptions,
): Promise<UploadResult> {
  const first = plaintextMac(masterKey, options.key)
  for await (const chunk of createReadStream(path)) first.update(chunk)
  const syntheticIv = first.digest()
  const { key, counter } = cipherKey(masterKey, syntheticIv)

  // The second reading must see what the first saw.
  const second = plaintextMac(masterKey, options.key)
  const upload = createResumableUploadStream({
    ...options,
    beforeComplete: () => {
      if (timingSafeEqual(second.digest(), syntheticIv)) return
      throw new Error(`${path} changed while it was read; discard this upload`)
    },
  })
  await pipeline(
    createReadStream(path),
    watched(second),
    createCipheriv('aes-256-ctr', key, counter),
    prefixed(syntheticIv),
    upload,
  )
  return upload.result
}

/** Nothing is under `path` before all of it was found authentic. */
export async function decryptInto(
  path: string,
  object: Readable,
  { masterKey, objectKey }: { masterKey: Buffer; objectKey: string },
): Promise<void> {
  const mac = plaintextMac(masterKey, objectKey)
  const unproved = `${path}.unproved`
  try {
    const [syntheticIv, ciphertext] = await splitAt(ivLength, object)
    const { key, counter } = cipherKey(masterKey, syntheticIv)
    await pipeline(
      ciphertext,
      createDecipheriv('aes-256-ctr', key, counter),
      watched(mac),
      createWriteStream(unproved, { mode: 0o600 }),
    )
    if (!timingSafeEqual(mac.digest(), syntheticIv)) {
      throw new Error('not what was encrypted with this key under this name')
    }
    await synced(unproved)
    await rename(unproved, path)
  } catch (error) {
    await rm(unproved, { force: true })
    throw error
  }
}

/** Passes everything on, and into the HMAC. */
function watched(mac: Hmac): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      mac.update(chunk)
      callback(null, chunk)
    },
  })
}

function prefixed(head: Buffer): Transform {
  let isFirst = true
  const begin = (stream: Transform): void => {
    if (isFirst) stream.push(head)
    isFirst = false
  }
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      begin(this)
      callback(null, chunk)
    },
    // An empty file has its synthetic IV too.
    flush(callback) {
      begin(this)
      callback()
    },
  })
}

/** The first bytes of a stream, and the stream behind them. */
async function splitAt(
  length: number,
  stream: Readable,
): Promise<[Buffer, AsyncIterable<Buffer>]> {
  const chunks: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]()
  let head: Buffer = Buffer.alloc(0)
  while (head.length < length) {
    const { done, value } = await chunks.next()
    if (done === true) throw new Error('the object is too short')
    head = Buffer.concat([head, value])
  }
  async function* rest() {
    yield head.subarray(length)
    yield* { [Symbol.asyncIterator]: () => chunks }
  }
  return [head.subarray(0, length), rest()]
}

async function synced(path: string): Promise<void> {
  const file = await open(path)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
