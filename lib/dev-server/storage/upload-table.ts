import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  incomingPath,
  readJson,
  type Directory,
  type Warn,
} from './directory.js'
import { isUploadRecord, type UploadRecord } from './records.js'
import { Upload } from './upload.js'

const recordName = 'upload.json'

/**
 * The unfinished uploads, each in a folder named by its ID. What is no such
 * folder is passed over.
 */
export class UploadTable {
  readonly #directory: Directory
  readonly #uploads = new Map<string, Upload>()

  constructor(directory: Directory, warn: Warn) {
    this.#directory = directory
    for (const name of readdirSync(directory.uploads)) {
      const folder = join(directory.uploads, name)
      const record = readJson(join(folder, recordName), isUploadRecord)
      if (record?.uploadId !== name) {
        warn(`${folder} is no upload; passed over`)
        continue
      }
      const upload = new Upload(record, folder)
      upload.load()
      this.#uploads.set(record.uploadId, upload)
    }
  }

  /** The folder appears with its record in it, by one rename. */
  create(record: Omit<UploadRecord, 'uploadId'>): Upload {
    const uploadId = randomBytes(16).toString('hex').toUpperCase()
    const temporary = incomingPath(this.#directory)
    const folder = join(this.#directory.uploads, uploadId)
    const full = { ...record, uploadId }
    mkdirSync(temporary)
    writeFileSync(join(temporary, recordName), JSON.stringify(full))
    renameSync(temporary, folder)
    const upload = new Upload(full, folder)
    this.#uploads.set(uploadId, upload)
    return upload
  }

  /** Undefined when unknown, or of another object. */
  find(bucket: string, key: string, uploadId: string): Upload | undefined {
    const upload = this.#uploads.get(uploadId)
    return upload?.record.bucket === bucket && upload.record.key === key
      ? upload
      : undefined
  }

  /** Closes an upload and makes its parts vanish at once. */
  async remove(upload: Upload): Promise<void> {
    upload.close()
    this.#uploads.delete(upload.record.uploadId)
    const grave = incomingPath(this.#directory)
    renameSync(upload.folder, grave)
    await rm(grave, { recursive: true, force: true })
  }

  all(): Upload[] {
    return [...this.#uploads.values()]
  }
}
