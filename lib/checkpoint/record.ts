/**
 * What the log can say: the records, and their way into JSON and back.
 *
 * Pure. Names and order of fields in the JSON are those of the tables below;
 * `pawl` and `logId` come first in a header, since it is known by them. Fields
 * that a table does not name are dropped on the way in and on the way out, so
 * that a later version may add some.
 */
import * as is from './checks.js'
import type { Check } from './checks.js'
import { FORMAT } from './format.js'
import type { GrowthStep } from './growth.js'
import { sha256 } from '../hash/sha256.js'

/** What a stored part is proved equal to local bytes by. */
export type Proof = 'xxh64' | 'sha256'

/** What the server had confirmed about a part's bytes when it was recorded. */
export type PartCheck = 'none' | 'md5' | 'crc64'

/** A source file as it was when a run began; integers in decimal, times in ns. */
export interface FileIdentity {
  device: string
  inode: string
  size: number
  mtime: string
  ctime: string
}

/** Whose log this is and how its parts are cut; again at each run's start. */
export interface HeaderRecord {
  type: 'log'
  /** The format's number. */
  pawl: typeof FORMAT
  /** 32 lower-case hex digits, random, the same in every header of a log. */
  logId: string
  /** The store's identity. */
  store: string
  bucket: string
  key: string
  partSize: number
  proof: Proof
  /** SHA-256, hex, of the options fixed at Initiate. */
  optionsDigest: string
  /** SHA-256, hex, of the caller's `sourceId`. */
  sourceDigest?: string | undefined
  fileIdentity?: FileIdentity | undefined
  /** ms since 1970 */
  time: number
  /** Counts the runs that used the log, from 1. */
  run: number
}

/** Initiate is about to be sent. */
export interface IntentRecord {
  type: 'intent'
  time: number
  /** The mark that it carries: 32 lower-case hex digits. */
  mark?: string | undefined
}

/** A new upload; with it a new epoch begins. */
export interface UploadRecord {
  type: 'upload'
  uploadId: string
  /** What was fixed at Initiate, for this upload only. */
  partSize: number
  optionsDigest: string
  time: number
  /** The server's clock at its answer, ms since 1970. */
  serverDate?: number | undefined
  /** What its object will carry: 32 lower-case hex digits. */
  mark?: string | undefined
  /** Where parts become larger. */
  growth?: readonly GrowthStep[] | undefined
}

/** The server has a part. */
export interface PartRecord {
  type: 'part'
  /** From 1. */
  number: number
  /** (number - 1) * partSize */
  offset: number
  size: number
  /** The proof hash in hex: 16 digits of xxh64 or 64 of SHA-256. */
  hash: string
  /** As the server spelled it. */
  etag: string
  /** Unsigned decimal. */
  crc64?: string | undefined
  /** 32 hex digits. */
  md5?: string | undefined
  check: PartCheck
  /** The run whose bytes these were. */
  run: number
}

/** A part is no longer to be used. */
export interface DropRecord {
  type: 'drop'
  number: number
  reason: string
}

/**
 * Why a part is dropped that is not on the server as it was sent: a Complete that
 * named it was refused for that.
 */
export const notAsSent = 'not-as-sent'

/** An upload is no longer to be used. */
export interface VoidRecord {
  type: 'void'
  uploadId: string
  reason: string
}

/** An object, as far as a later one can be told from it. */
export interface ObjectSight {
  /** Without quotes; empty: there was no object. */
  etag: string
  /** ms since 1970 */
  lastModified?: number | undefined
  versionId?: string | undefined
}

/** Complete is about to be sent. */
export interface CompletingUploadRecord {
  type: 'completing'
  parts: number
  size: number
  crc64?: string | undefined
  /** SHA-256, hex, over the ETags in order. */
  etagsDigest: string
  /** SHA-256, hex, of the options that go with Complete. */
  sentDigest?: string | undefined
  /** What was under the key before it. */
  before?: ObjectSight | undefined
}

/** Of the ETags that a Complete names, as they were spelled: SHA-256, hex. */
export function etagsDigest(etags: readonly string[]): string {
  return sha256(etags.join('\n'))
}

/** PutObject is about to be sent: the whole source was shorter than a part. */
export interface CompletingPutRecord {
  type: 'completing'
  put: true
  size: number
  crc64?: string | undefined
  /** 32 hex digits. */
  md5?: string | undefined
  /** What the object will carry: 32 lower-case hex digits. */
  mark?: string | undefined
  /** SHA-256, hex, of all options that go with it. */
  sentDigest?: string | undefined
  /** What was under the key before it. */
  before?: ObjectSight | undefined
}

/**
 * A Complete that was about to be sent was refused for certain: it has made nothing,
 * and never will.
 */
export interface RefusedRecord {
  type: 'refused'
  /** As its `completing` has it. */
  sentDigest: string
}

export type CompletingRecord = CompletingUploadRecord | CompletingPutRecord

/** The object is there. */
export interface DoneRecord {
  type: 'done'
  /** The object came by PutObject. */
  put?: true | undefined
  /** Without quotes; empty when the server did not say. */
  etag: string
  size: number
  crc64?: string | undefined
  versionId?: string | undefined
}

/** An upload that is no longer used has been aborted on the server. */
export interface ClosedRecord {
  type: 'closed'
  uploadId: string
  /**
   * Our Abort, or why there is none: it was gone, or is an object, or the server
   * refused every one.
   */
  by?: 'abort' | 'gone' | 'object' | 'nobody' | undefined
}

/** The result was handed out: nothing in the log before it is claimed any more. */
export interface ToldRecord {
  type: 'told'
}

export type LogRecord =
  | HeaderRecord
  | IntentRecord
  | UploadRecord
  | PartRecord
  | DropRecord
  | VoidRecord
  | CompletingRecord
  | RefusedRecord
  | DoneRecord
  | ClosedRecord
  | ToldRecord

type Shape<R> = { readonly [K in Exclude<keyof R, 'type'>]-?: Check }

const header: Shape<HeaderRecord> = {
  pawl: is.oneOf(FORMAT),
  logId: is.isHex32,
  store: is.isIdentity,
  bucket: is.isBucket,
  key: is.isKey,
  partSize: is.isPartSize,
  proof: is.oneOf('xxh64', 'sha256'),
  optionsDigest: is.isSha256,
  sourceDigest: is.optional(is.isSha256),
  fileIdentity: is.optional(is.isFileIdentity),
  time: is.isTime,
  run: is.isRun,
}
const intent: Shape<IntentRecord> = {
  time: is.isTime,
  mark: is.optional(is.isHex32),
}
const upload: Shape<UploadRecord> = {
  uploadId: is.isUploadId,
  partSize: is.isPartSize,
  optionsDigest: is.isSha256,
  time: is.isTime,
  serverDate: is.optional(is.isTime),
  mark: is.optional(is.isHex32),
  growth: is.optional(is.isGrowth),
}
const part: Shape<PartRecord> = {
  number: is.isPartNumber,
  offset: is.isSize,
  size: is.isPartSize,
  hash: is.isProofHash,
  etag: is.isEtag,
  crc64: is.optional(is.isCrc64),
  md5: is.optional(is.isHex32),
  check: is.oneOf('none', 'md5', 'crc64'),
  run: is.isRun,
}
const drop: Shape<DropRecord> = {
  number: is.isPartNumber,
  reason: is.isReason,
}
const voided: Shape<VoidRecord> = {
  uploadId: is.isUploadId,
  reason: is.isReason,
}
const completingUpload: Shape<CompletingUploadRecord> = {
  parts: is.isPartNumber,
  size: is.isSize,
  crc64: is.optional(is.isCrc64),
  etagsDigest: is.isSha256,
  sentDigest: is.optional(is.isSha256),
  before: is.optional(is.isSight),
}
const completingPut: Shape<CompletingPutRecord> = {
  put: is.oneOf(true),
  size: is.isSize,
  crc64: is.optional(is.isCrc64),
  md5: is.optional(is.isHex32),
  mark: is.optional(is.isHex32),
  sentDigest: is.optional(is.isSha256),
  before: is.optional(is.isSight),
}
const refused: Shape<RefusedRecord> = {
  sentDigest: is.isSha256,
}
const done: Shape<DoneRecord> = {
  put: is.optional(is.oneOf(true)),
  etag: is.isFinalEtag,
  size: is.isSize,
  crc64: is.optional(is.isCrc64),
  versionId: is.optional(is.isVersionId),
}
const closed: Shape<ClosedRecord> = {
  uploadId: is.isUploadId,
  by: is.optional(is.oneOf('abort', 'gone', 'object', 'nobody')),
}

type Table = readonly { readonly name: string; readonly check: Check }[]

function tableOf(shape: Readonly<Record<string, Check>>): Table {
  return Object.entries(shape).map(([name, check]) => ({ name, check }))
}

const putTable = tableOf(completingPut)
const tables: ReadonlyMap<string, Table> = new Map([
  ['log', tableOf(header)],
  ['intent', tableOf(intent)],
  ['upload', tableOf(upload)],
  ['part', tableOf(part)],
  ['drop', tableOf(drop)],
  ['void', tableOf(voided)],
  ['completing', tableOf(completingUpload)],
  ['refused', tableOf(refused)],
  ['done', tableOf(done)],
  ['closed', tableOf(closed)],
  ['told', []],
])

/** Whether this version knows what records of a type say. */
export function isKnownType(type: string): boolean {
  return tables.has(type)
}

type Fields = Record<string, unknown>

function isFields(value: unknown): value is Readonly<Fields> {
  return typeof value === 'object' && value !== null
}

/** The table that a record's fields are to be as. */
function tableFor(type: string, fields: Readonly<Fields>): Table | undefined {
  const isPut = type === 'completing' && fields['put'] !== undefined
  return isPut ? putTable : tables.get(type)
}

/** The name of a field that is wrong, if there is one. */
function wrongField(
  table: Table,
  fields: Readonly<Fields>,
): string | undefined {
  for (const { name, check } of table) {
    if (!check(fields[name])) return name
  }
  return undefined
}

/** Adds what the table names, in its order. */
function pick(
  table: Table,
  fields: Readonly<Fields>,
  picked: Fields = {},
): Fields {
  for (const { name } of table) {
    const value = fields[name]
    if (value !== undefined) picked[name] = value
  }
  return picked
}

/** The record that a line's JSON holds; undefined when a field is not allowed. */
export function decodeRecord(
  type: string,
  json: string,
): LogRecord | undefined {
  let fields: unknown
  try {
    fields = JSON.parse(json)
  } catch {
    return undefined
  }
  if (!isFields(fields)) return undefined
  const table = tableFor(type, fields)
  if (table === undefined || wrongField(table, fields) !== undefined) {
    return undefined
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked by the table
  return pick(table, fields, { type }) as unknown as LogRecord
}

/**
 * A record's JSON, in printable ASCII without line ends. Throws a `TypeError`
 * that names the field when a value is one that a reader would refuse.
 */
export function encodeRecord(record: LogRecord): string {
  const fields: Fields = { ...record }
  const table = tableFor(record.type, fields)
  const wrong = table === undefined ? 'type' : wrongField(table, fields)
  if (table === undefined || wrong !== undefined) {
    throw new TypeError(`'${wrong}' of a '${record.type}' record is not valid`)
  }
  return JSON.stringify(pick(table, fields)).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
