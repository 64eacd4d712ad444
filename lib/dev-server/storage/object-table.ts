import { randomBytes } from 'node:crypto'
import { readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  objectFileName,
  readJson,
  writeJson,
  type Directory,
} from './directory.js'
import { isObjectRecord, type ObjectRecord } from './records.js'

/**
 * The finished objects. Each is a JSON file that names the file of its bytes:
 * writing the JSON is the moment in which a new object takes the place of an
 * old one, whose bytes are removed after that.
 */
export class ObjectTable {
  readonly #directory: Directory
  readonly #objects = new Map<string, ObjectRecord>()

  constructor(directory: Directory) {
    this.#directory = directory
    const names = readdirSync(directory.objects)
    const used = new Set<string>()
    for (const name of names.filter((other) => other.endsWith('.json'))) {
      const record = readJson(join(directory.objects, name), isObjectRecord)
      this.#objects.set(objectFileName(record.bucket, record.key), record)
      if (record.data !== undefined) used.add(record.data)
    }
    for (const name of names) {
      // Bytes whose record was not written before a crash.
      if (name.endsWith('.data') && !used.has(name)) {
        rmSync(join(directory.objects, name), { force: true })
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
    writeJson(this.#directory, this.#recordPath(name), full)
    this.#objects.set(name, full)
    if (old !== undefined) this.#removeData(old)
  }

  /** False when there was none. */
  delete(bucket: string, key: string): boolean {
    const name = objectFileName(bucket, key)
    const old = this.#objects.get(name)
    if (old === undefined) return false
    rmSync(this.#recordPath(name))
    this.#objects.delete(name)
    this.#removeData(old)
    return true
  }

  #recordPath(name: string): string {
    return join(this.#directory.objects, `${name}.json`)
  }

  #removeData(record: ObjectRecord): void {
    const path = this.dataPath(record)
    if (path !== undefined) rmSync(path, { force: true })
  }
}
