import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  objectFileName,
  readJson,
  writeJson,
  type Directory,
  type Warn,
} from './directory.js'
import {
  isObjectRecord,
  type ObjectRecord,
  type ObjectSettings,
} from './records.js'

/** `name.json` of a record, `name.random.data` of bytes. */
const recordFile = /^([0-9a-f]{64})\.json$/
const dataFile = /^([0-9a-f]{64})\.[0-9a-f]{12}\.data$/

/**
 * The finished objects. Each is a JSON file that names the file of its bytes:
 * writing the JSON is the moment in which a new object takes the place of an
 * old one, whose bytes are removed after that.
 *
 * Files that are not the server's are passed over, and so are records that
 * cannot be read, whose bytes stay: who copied or damaged them may want them.
 */
export class ObjectTable {
  readonly #directory: Directory
  readonly #objects = new Map<string, ObjectRecord>()
  /** How often each object was written or deleted since the start. */
  readonly #changes = new Map<string, number>()

  constructor(directory: Directory, warn: Warn) {
    this.#directory = directory
    const names = readdirSync(directory.objects)
    const damaged = new Set<string>()
    for (const file of names) {
      if (dataFile.test(file)) continue
      const [, name] = recordFile.exec(file) ?? []
      const record = this.#read(file, name)
      if (record !== undefined) {
        this.#objects.set(objectFileName(record.bucket, record.key), record)
        continue
      }
      if (name !== undefined) damaged.add(name)
      warn(
        `${join(directory.objects, file)} is no object's record; passed over`,
      )
    }
    this.#removeRemains(names, damaged)
  }

  #read(file: string, name: string | undefined): ObjectRecord | undefined {
    if (name === undefined) return undefined
    const record = readJson(join(this.#directory.objects, file), isObjectRecord)
    if (record === undefined) return undefined
    const { bucket, key, data } = record
    const isOwn = objectFileName(bucket, key) === name
    return isOwn && (data === undefined || this.#hasData(name, data))
      ? record
      : undefined
  }

  /** A record that names bytes elsewhere could have them served or deleted. */
  #hasData(name: string, data: string): boolean {
    const isOwn = dataFile.exec(data)?.[1] === name
    return isOwn && existsSync(join(this.#directory.objects, data))
  }

  /** Bytes whose record was not written before a crash. */
  #removeRemains(names: readonly string[], damaged: Set<string>): void {
    const used = new Set([...this.#objects.values()].map(({ data }) => data))
    for (const file of names) {
      const [, name] = dataFile.exec(file) ?? []
      if (name !== undefined && !damaged.has(name) && !used.has(file)) {
        rmSync(join(this.#directory.objects, file), { force: true })
      }
    }
  }

  get(bucket: string, key: string): ObjectRecord | undefined {
    return this.#objects.get(objectFileName(bucket, key))
  }

  all(bucket: string): ObjectRecord[] {
    return [...this.#objects.values()].filter(
      (record) => record.bucket === bucket,
    )
  }

  /** The buckets that have objects. */
  buckets(): Set<string> {
    return new Set([...this.#objects.values()].map(({ bucket }) => bucket))
  }

  /** Another number whenever the object was written or deleted meanwhile. */
  changes(bucket: string, key: string): number {
    return this.#changes.get(objectFileName(bucket, key)) ?? 0
  }

  /** Where an object's bytes are; undefined when they were discarded. */
  dataPath({ data }: ObjectRecord): string | undefined {
    return data === undefined ? undefined : join(this.#directory.objects, data)
  }

  /** Makes a received file the object of its bucket and key. */
  put(record: Omit<ObjectRecord, 'data'>, path: string | undefined): void {
    const name = objectFileName(record.bucket, record.key)
    const old = this.#objects.get(name)
    let full: ObjectRecord = record
    if (path !== undefined) {
      const data = `${name}.${randomBytes(6).toString('hex')}.data`
      renameSync(path, join(this.#directory.objects, data))
      full = { ...record, data }
    }
    this.#keep(name, full)
    this.#countChange(name)
    if (old !== undefined) this.#removeData(old)
  }

  /** Changes what an object is besides its bytes; it must exist. */
  describe(record: ObjectRecord, settings: ObjectSettings): void {
    const name = objectFileName(record.bucket, record.key)
    this.#keep(name, { ...record, settings })
  }

  #keep(name: string, record: ObjectRecord): void {
    writeJson(this.#directory, this.#recordPath(name), record)
    this.#objects.set(name, record)
  }

  /** False when there was none. */
  delete(bucket: string, key: string): boolean {
    const name = objectFileName(bucket, key)
    const old = this.#objects.get(name)
    if (old === undefined) return false
    rmSync(this.#recordPath(name))
    this.#objects.delete(name)
    this.#countChange(name)
    this.#removeData(old)
    return true
  }

  #countChange(name: string): void {
    this.#changes.set(name, (this.#changes.get(name) ?? 0) + 1)
  }

  #recordPath(name: string): string {
    return join(this.#directory.objects, `${name}.json`)
  }

  #removeData(record: ObjectRecord): void {
    const path = this.dataPath(record)
    if (path !== undefined) rmSync(path, { force: true })
  }
}
