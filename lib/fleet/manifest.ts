/**
 * What a fleet has in the bucket, as text: its plan, slices of files, and what
 * became of them. Pure. All of it is input to whoever reads it: anybody who may
 * write to the bucket may have put it there.
 */
import { isAbsolute } from 'node:path'
import * as is from '../checkpoint/checks.js'
import type { Check } from '../checkpoint/checks.js'
import { invalidOption, UploadError } from '../errors.js'
import { sha256 } from '../hash/sha256.js'

/** A file of a plan, and the object that it becomes. */
export interface SliceFile {
  /** Below the workers' root. */
  path: string
  /** The object's key. */
  key: string
  /** Bytes, when it was planned. */
  size: number
  /** ns since 1970, in decimal, when it was planned. */
  mtime?: string | undefined
}

/** Some files of a fleet, for one job. */
export interface Slice {
  fleet: string
  /** From 1. */
  slice: number
  /** The store's identity. */
  store: string
  /** Of the plan: 32 lower-case hex digits. */
  nonce: string
  files: readonly SliceFile[]
}

/** The beginning of a plan, which fixes what its slices are. */
export interface PlanHead {
  pawl: 1
  fleet: string
  store: string
  nonce: string
}

/** The end of a plan: no slice follows. */
export interface PlanEnd {
  pawl: 1
  /** Files and bytes of each slice. */
  slices: readonly (readonly [files: number, bytes: number])[]
}

/** What was made of a file. */
export interface DoneFile {
  key: string
  size: number
  etag: string
  crc64?: string | undefined
}

/** A file that could not be uploaded, and why. */
export interface FailedFile extends SliceFile {
  code: string
  message: string
}

/** Characters of a fleet's name. */
export const mostOfName = 64
/** Files of one slice. */
export const mostFiles = 1000
/** Bytes of one slice's files together; a larger file is a slice of its own. */
export const mostBytes = 1024 ** 3
/** Bytes of one text in the bucket. */
export const mostText = 8 * 1024 ** 2
/** Bytes that the lines of a slice may take, so that what failed of it is a text, too. */
export const mostLines = mostText / 2
/** Slices of one fleet. */
export const mostSlices = 1_000_000
/** Bytes of the end of a plan, which has a pair of numbers for each slice. */
export const mostEnd = 24 * mostSlices
/** Of what is kept of an error. */
const mostMessage = 500

/** Throws `PAWL_INVALID_OPTION` for what cannot name a fleet. */
export function checkFleet(fleet: unknown): asserts fleet is string {
  const isName =
    typeof fleet === 'string' &&
    /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(fleet)
  if (isName) return
  invalidOption(
    'fleet: expected a name of at most 64 letters, digits, dots, dashes and underscores, which does not begin with a dot or a dash',
  )
}

/** Of all that fleets keep in the bucket; no object of a fleet goes there. */
export const fleetPrefix = '.pawl/'

/** The key of one of a fleet's objects in the bucket. */
export function keyIn(
  fleet: string,
  what: 'plan' | 'end' | 'manifest' | 'doing' | 'done' | 'failed',
  slice?: number,
): string {
  const number = slice === undefined ? '' : `/${numbered(slice)}`
  return `${fleetPrefix}${fleet}/${what}${number}`
}

/**
 * What tells the jobs of a plan from those of another one of the same name, in another
 * bucket or of an earlier time: 16 hex digits.
 */
export function planOf(nonce: string): string {
  return sha256(nonce).slice(0, 16)
}

/** Of a job: neither a colon nor an integer, as BullMQ asks. */
export function jobIdOf({ fleet, plan, slice }: JobOfFleet): string {
  return `f-${fleet}-${plan}-${numbered(slice)}`
}

function numbered(slice: number): string {
  return String(slice).padStart(6, '0')
}

/** Which slice of which plan. */
export interface JobOfFleet {
  fleet: string
  /** Of `planOf`. */
  plan: string
  /** From 1. */
  slice: number
}

/** What a job says; anything else is refused. */
export function readJob(data: unknown): JobOfFleet & { again: boolean } {
  const { fleet, plan, slice, again } = fieldsOf(data)
  checkFleet(fleet)
  if (typeof plan !== 'string' || !/^[0-9a-f]{16}$/.test(plan)) {
    invalidOption('a job without a plan that there can be')
  }
  const isSlice =
    typeof slice === 'number' &&
    Number.isInteger(slice) &&
    slice >= 1 &&
    slice <= mostSlices
  return isSlice
    ? { fleet, plan, slice, again: again === true }
    : invalidOption('a job without a slice that there can be')
}

/**
 * The mark of a file's object: the same whoever sends it and however often, and
 * another one for each plan, so that a slice that is run again knows its own.
 */
export function markOf(
  { nonce, slice }: Pick<Slice, 'nonce' | 'slice'>,
  file: SliceFile,
): string {
  const text = JSON.stringify([nonce, slice, lineOf(file)])
  return sha256(text).slice(0, 32)
}

export function encodeSlice({ files, ...head }: Slice): string {
  const first = JSON.stringify({ pawl: 1, ...head, files: files.length })
  return [first, ...files.map(lineOf), ''].join('\n')
}

const sliceHead = {
  pawl: is.oneOf(1),
  store: is.isIdentity,
  nonce: is.isHex32,
  files: is.isSize,
}

const fileShape = {
  path: isPath,
  key: is.isKey,
  size: is.isSize,
  mtime: is.optional(isDecimal),
}

/** Throws `PAWL_RESPONSE` unless it is that slice of that fleet and store. */
export function decodeSlice(
  text: string,
  wanted: { fleet: string; slice: number; store: string },
): Slice {
  const [first, ...lines] = linesOf(text)
  const head = jsonIn(first, wanted)
  const { nonce, files: count } = head
  const isThat =
    hasShape(head, sliceHead) &&
    head['fleet'] === wanted.fleet &&
    head['slice'] === wanted.slice &&
    head['store'] === wanted.store
  if (!isThat || typeof nonce !== 'string') throw unreadable(wanted, 'its head')
  if (lines.length !== count || lines.length > mostFiles) {
    throw unreadable(wanted, `its ${lines.length} files`)
  }
  const files = lines.map((line, index) => {
    const file = jsonIn(line, wanted)
    if (!isFile(file)) throw unreadable(wanted, `line ${index + 2}`)
    const { path, key, size, mtime } = file
    return { path, key, size, ...(mtime === undefined ? {} : { mtime }) }
  })
  return { ...wanted, nonce, files }
}

export function encodeHead(head: Omit<PlanHead, 'pawl'>): string {
  return JSON.stringify({ pawl: 1, ...head })
}

/** Throws `PAWL_RESPONSE`, and `PAWL_INVALID_OPTION` for the plan of another store. */
export function decodeHead(
  text: string,
  { fleet, store }: { fleet: string; store: string },
): PlanHead {
  const { nonce, ...head } = jsonIn(text, { fleet })
  if (!is.isHex32(nonce) || head['fleet'] !== fleet || head['pawl'] !== 1) {
    throw unreadable({ fleet }, 'its plan')
  }
  if (head['store'] !== store) {
    invalidOption(`the fleet ${fleet} is for ${String(head['store'])}`)
  }
  return { pawl: 1, fleet, store, nonce: String(nonce) }
}

export function encodeEnd({ slices }: Pick<PlanEnd, 'slices'>): string {
  return JSON.stringify({ pawl: 1, slices })
}

export function decodeEnd(text: string, fleet: string): PlanEnd {
  const { slices } = jsonIn(text, { fleet })
  if (!Array.isArray(slices) || slices.length > mostSlices) {
    throw unreadable({ fleet }, 'the end of its plan')
  }
  const pairs = slices.map((pair: unknown): [number, number] => {
    const [files, bytes] = Array.isArray(pair) ? (pair as unknown[]) : []
    if (!is.isSize(files) || !is.isSize(bytes)) {
      throw unreadable({ fleet }, 'the end of its plan')
    }
    return [Number(files), Number(bytes)]
  })
  return { pawl: 1, slices: pairs }
}

export function encodeLines(lines: readonly object[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('')
}

const doneShape = {
  key: is.isKey,
  size: is.isSize,
  etag: is.isFinalEtag,
  crc64: is.optional(is.isCrc64),
}

/** Of a slice that is under way; anything that is none is refused. */
export function decodeDone(
  text: string,
  where: { fleet: string; slice: number },
): DoneFile[] {
  const files = filesIn(text, isDone, { ...where, what: 'what is done of it' })
  return files.map(({ key, size, etag, crc64 }) => ({
    key,
    size,
    etag,
    ...(crc64 === undefined ? {} : { crc64 }),
  }))
}

/** Of a slice; anything that is none is refused. */
export function decodeFailed(
  text: string,
  where: { fleet: string; slice: number },
): FailedFile[] {
  const files = filesIn(text, isFile, { ...where, what: 'its failures' })
  return files.map(({ path, key, size, mtime, code, message }) => ({
    path,
    key,
    size,
    mtime,
    code: String(code),
    message: String(message),
  }))
}

function filesIn<T extends Fields>(
  text: string,
  isThat: (fields: Fields) => fields is T,
  { what, ...where }: { fleet: string; slice: number; what: string },
): T[] {
  return linesOf(text).map((line) => {
    const file = jsonIn(line, where)
    if (isThat(file)) return file
    throw unreadable(where, what)
  })
}

/** What a planner is given is a path below any root, and what can be read again. */
export function isFitForPlan(file: SliceFile): boolean {
  if (!isFile({ ...file })) return false
  const { path } = file
  return !isAbsolute(path) && !path.split(/[\\/]/).includes('..')
}

/** The most bytes that the line of a file can take: JSON escapes a unit with six. */
export function mostOfLine({ path, key }: SliceFile): number {
  return 6 * (path.length + key.length) + 100
}

/** What is told of a file that failed. */
export function failedFile(
  file: SliceFile,
  { code, message }: { code: string; message: string },
): FailedFile {
  return { ...file, code, message: message.slice(0, mostMessage) }
}

function lineOf({ path, key, size, mtime }: SliceFile): string {
  return JSON.stringify({ path, key, size, mtime })
}

function linesOf(text: string): string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function jsonIn(
  text: string | undefined,
  where: { fleet: string; slice?: number },
): Fields {
  try {
    return fieldsOf(JSON.parse(text ?? ''))
  } catch {
    throw unreadable(where, 'its JSON')
  }
}

function hasShape(
  fields: Fields,
  shape: Readonly<Record<string, Check>>,
): boolean {
  return Object.entries(shape).every(([name, check]) => check(fields[name]))
}

function isFile(fields: Fields): fields is Fields & SliceFile {
  return hasShape(fields, fileShape)
}

function isDone(fields: Fields): fields is Fields & DoneFile {
  return hasShape(fields, doneShape)
}

function isPath(value: unknown): boolean {
  if (typeof value !== 'string' || value === '') return false
  return value.length <= 4096 && !value.includes('\0')
}

function isDecimal(value: unknown): boolean {
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value)
}

function unreadable(
  { fleet, slice }: { fleet: string; slice?: number | undefined },
  what: string,
): UploadError {
  const where = slice === undefined ? fleet : `${fleet}, slice ${slice}`
  return new UploadError(
    'PAWL_RESPONSE',
    `the fleet ${where}: ${what} in the bucket cannot be read; somebody else has written it, or a newer version`,
  )
}
