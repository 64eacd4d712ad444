/**
 * What the contract test is run against: a store, somebody else's client for the
 * same bucket, and what is known of the server behind them.
 */
import type { Test } from 'tap'
import type { Dispatcher } from 'undici'
import { listUploads, type ObjectStore } from '../../lib/index.js'
import { storeCall } from '../support/store-call.js'
import type { OtherClient } from './other-client.js'

/** Of the store that the target names; everything else is as it should be. */
export interface Variation {
  bucket?: string
  accessKeyId?: string
  secret?: string
  dispatcher?: Dispatcher
  /** S3: the store's `checksum` option. */
  checksum?: 'crc64nvme'
}

/**
 * Where servers differ and the library does not hide it. What is not given is
 * not known: either will do.
 */
export interface Behaviours {
  /** `getObject` and `deleteObject`, which a store may lack. */
  smallObjects?: 'none'
  /** Complete of an upload that was aborted. */
  completeOfAborted?: 'no-upload' | 'server'
  /** Complete without some of the stored parts. */
  unnamedParts?: 'left-out' | 'refused'
  /** `forbidOverwrite` when the object exists. */
  overwriteByPut?: 'refused' | 'ignored' | 'unsupported'
  overwriteByComplete?: 'refused' | 'ignored'
  /** An access key that does not exist. */
  unknownKey?: 'credentials' | 'denied'
  /** What an ETag is made of. */
  etags?: 'md5' | 'opaque'
  /** The ETag in the answer to Complete. */
  completeEtag?: 'given' | 'empty'
  /** S3's own checksums. */
  checksums?: 'compared' | 'ignored'
  /** Parts are still listed when the object is complete. */
  partsAfterComplete?: 'gone' | 'listed'
}

export interface Target {
  readonly name: string
  readonly dialect: 'oss' | 's3'
  /** Bytes; what the server takes for parts that are not the last. */
  readonly partSize: number
  readonly behaviours: Behaviours
  /** Most entries on a page of parts, of uploads. */
  readonly pages: { parts: number; uploads: number }
  /** Of all keys; ends in a slash. */
  readonly prefix: string
  readonly other: OtherClient
  /** For a child process, whose environment has the credentials. */
  readonly child: { options: object; environment: Record<string, string> }
  /** Closed with the test. */
  store(t: Test, variation?: Variation): ObjectStore
}

/** A prefix that nobody else has. */
export function newPrefix(): string {
  const random = Math.random().toString(36).slice(2, 10)
  return `pawl-contract/${Date.now().toString(36)}-${random}/`
}

/** Keys under the target's prefix; what is stored under them goes with the test. */
export function keysOf(t: Test, target: Target): (name: string) => string {
  const keys = new Set<string>()
  const { prefix, other } = target
  const store = target.store(t)
  t.teardown(async () => {
    for (const key of keys) await other.remove(key)
    for await (const { key, uploadId } of listUploads(store, {
      prefix,
      sizes: false,
    })) {
      if (keys.has(key)) await store.abortUpload({ key, uploadId }, storeCall())
    }
  })
  return (name) => {
    const key = `${prefix}${name}`
    keys.add(key)
    return key
  }
}
