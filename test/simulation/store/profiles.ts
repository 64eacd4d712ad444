/** Stores as they are found: what each says, keeps, refuses and forgets. */
import type { StoreDigest } from '../../../lib/store/object-store.js'

/** How a store behaves; the table below has one for each sort of store. */
export interface Traits {
  /** Whose options and words: OSS takes the ACL at the end, S3 at the start. */
  readonly dialect: 'oss' | 's3'
  /** What it reports of stored bytes. */
  readonly digest: StoreDigest
  /** MD5s; no digests, and said so or not; 32 hex digits that are no MD5s. */
  readonly etags: 'md5' | 'opaque' | 'opaque-untold' | 'like-md5'
  /** Content-MD5 is compared with the bytes. */
  readonly comparesMd5: boolean
  /** The ETag in the answer to Complete. */
  readonly completeEtag: 'given' | 'empty'
  /** Complete of an upload that is gone. */
  readonly goneAtComplete: 'no-upload' | 'server'
  /** Complete that does not name all parts. */
  readonly unnamedParts: 'left-out' | 'refused'
  /** `forbidOverwrite` of each request. */
  readonly putCondition: 'honoured' | 'ignored' | 'unsupported'
  readonly completeCondition: 'honoured' | 'ignored' | 'unsupported'
  /** What is left of an upload that is complete. */
  readonly completedUpload: 'gone' | 'listed'
  /** Complete of an upload that is complete. */
  readonly completeAgain: 'replayed' | 'no-upload' | 'another-version'
  /** Complete compares the ETags that it is given. */
  readonly comparesEtags: boolean
  /** Entries on a page of a list. */
  readonly page: number
  readonly versions: boolean
  /** What a list of parts, a HEAD does not show yet, ms. */
  readonly listLag: number
  readonly headLag: number
  /** What becomes of user metadata; refused, whoever sent it. */
  readonly marks: 'kept' | 'dropped' | 'refused'
  /** Says itself that it drops metadata. */
  readonly tellsNoMetadata: boolean
  /** Which of two objects is on top: the one made last, or begun last. */
  readonly order: 'complete' | 'initiate'
  /** What its dates of objects say. */
  readonly dates: 'complete' | 'initiate'
  readonly wholeSeconds: boolean
  /** ms; how far its clock is ahead of ours. */
  readonly clockAhead: number
  readonly maxParts: number
  /** Complete refuses parts that are not of one size, the last one excepted. */
  readonly equalParts: boolean
  /** It is known for that. */
  readonly tellsEqualParts: boolean
}

const oss: Traits = {
  dialect: 'oss',
  digest: 'crc64ecma',
  etags: 'md5',
  comparesMd5: true,
  completeEtag: 'given',
  goneAtComplete: 'no-upload',
  unnamedParts: 'left-out',
  putCondition: 'honoured',
  completeCondition: 'honoured',
  completedUpload: 'gone',
  completeAgain: 'no-upload',
  comparesEtags: true,
  page: 1000,
  versions: false,
  listLag: 0,
  headLag: 0,
  marks: 'kept',
  tellsNoMetadata: false,
  order: 'complete',
  dates: 'complete',
  wholeSeconds: true,
  clockAhead: 0,
  maxParts: 10_000,
  equalParts: false,
  tellsEqualParts: true,
}

const s3: Traits = {
  ...oss,
  dialect: 's3',
  digest: 'md5',
  completeAgain: 'replayed',
  order: 'initiate',
  dates: 'initiate',
}

export const profiles = {
  oss,
  s3,
  's3-crc64': { ...s3, digest: 'crc64nvme' },
  kms: { ...s3, etags: 'opaque' },
  'like-md5': { ...oss, dialect: 's3', digest: 'md5', etags: 'like-md5' },
  ceph: {
    ...s3,
    completeEtag: 'empty',
    goneAtComplete: 'server',
    unnamedParts: 'refused',
    completeCondition: 'ignored',
    order: 'complete',
    dates: 'complete',
  },
  swift: {
    ...s3,
    putCondition: 'unsupported',
    completedUpload: 'listed',
    order: 'complete',
    dates: 'complete',
  },
  bare: { ...s3, digest: 'none', etags: 'opaque-untold', order: 'complete' },
  r2: { ...s3, order: 'complete', dates: 'complete', equalParts: true },
  lax: { ...s3, comparesEtags: false, order: 'complete' },
} as const satisfies Record<string, Traits>

export type ProfileName = keyof typeof profiles

export const profileNames = Object.keys(profiles) as [
  ProfileName,
  ...ProfileName[],
]

/** A way in which stores of every profile can differ. */
interface Knob {
  readonly name: string
  readonly weight: number
  readonly traits: Partial<Traits>
}

/** One or two of them in some schedules, none in others. */
export const knobs: readonly Knob[] = [
  { name: 'lists of one entry', weight: 2, traits: { page: 1 } },
  { name: 'lists of two entries', weight: 2, traits: { page: 2 } },
  { name: 'lists of three entries', weight: 1, traits: { page: 3 } },
  {
    name: 'versions',
    weight: 3,
    // OSS ignores the condition in versioned buckets.
    traits: {
      versions: true,
      putCondition: 'ignored',
      completeCondition: 'ignored',
    },
  },
  { name: 'lists that lag', weight: 2, traits: { listLag: 3000 } },
  { name: 'a HEAD that lags', weight: 2, traits: { headLag: 3000 } },
  { name: 'no metadata', weight: 2, traits: { marks: 'dropped' } },
  {
    name: 'no metadata, and known for it',
    weight: 2,
    traits: { marks: 'dropped', tellsNoMetadata: true },
  },
  { name: 'metadata refused', weight: 2, traits: { marks: 'refused' } },
  { name: 'a clock ahead', weight: 1, traits: { clockAhead: 90_000 } },
  { name: 'a clock behind', weight: 1, traits: { clockAhead: -90_000 } },
  {
    name: 'a Complete that makes another version when repeated',
    weight: 1,
    traits: { versions: true, completeAgain: 'another-version' },
  },
  {
    name: 'MD5s that nobody compares',
    weight: 1,
    traits: { comparesMd5: false },
  },
  {
    name: 'parts of one size, and nobody knows it',
    weight: 2,
    traits: { equalParts: true, tellsEqualParts: false },
  },
  { name: 'few parts', weight: 1, traits: { maxParts: 6 } },
]
