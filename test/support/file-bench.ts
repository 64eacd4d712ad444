/** A file to upload to a dev server, with every read of it counted. */
import { open, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { DevServerOptions } from '../../lib/dev-server/index.js'
import {
  readCheckpoint,
  UploadError,
  type UploadFileOptions,
  type UploadResult,
  type Verify,
} from '../../lib/index.js'
import { uploadFileOn } from '../../lib/upload/file.js'
import { realUploadEnvironment } from '../../lib/upload/options/environment.js'
import { devStore, noise, smallPart, type DevStore } from './dev-store.js'
import { completesUnheard } from './lost-answers.js'
import { WatchedFiles } from './watched-files.js'

export const key = 'backups/db.dump'

interface Mode {
  partSize: number
  concurrency: number
  verify?: Verify
  memory?: number
}

/** Parts held for a digest that goes before them, and parts read as they are sent. */
export const modes = {
  held: { partSize: smallPart, concurrency: 3, verify: 'md5' },
  streamed: { partSize: 3 * smallPart, concurrency: 256 },
} as const satisfies Record<string, Mode>

/** The same, and parts that are read twice for the sake of memory. */
export const allModes: Record<string, Mode> = {
  ...modes,
  twice: { ...modes.held, memory: 1 },
}

export interface FileBench extends DevStore {
  path: string
  bytes: Buffer
  options: UploadFileOptions
  files: WatchedFiles
  /** Uploads the file, on `files` unless others are given. */
  run(
    more?: Partial<UploadFileOptions>,
    files?: WatchedFiles,
  ): Promise<UploadResult>
  /** The same, ended by its signal when `count` parts are stored. */
  runSome(
    count: number,
    more?: Partial<UploadFileOptions>,
    files?: WatchedFiles,
  ): Promise<UploadError>
  /** Changes a byte of the file, and none of its size and mtime. */
  flip(offset: number): Promise<void>
  /** Names beside the file. */
  logs(): Promise<string[]>
}

export async function fileBench(
  t: Test,
  {
    size,
    mode = { partSize: smallPart, concurrency: 3 },
    ...server
  }: DevServerOptions & {
    size: number
    mode?: Mode
  },
): Promise<FileBench> {
  const dev = await devStore(t, server)
  const path = join(dev.directory, 'db.dump')
  const bytes = noise(size, size + 1)
  await writeFile(path, bytes)
  const files = new WatchedFiles()
  const options: UploadFileOptions = {
    store: dev.store,
    key,
    retry: { attempts: 5, baseDelay: 1, maxDelay: 5 },
    ...mode,
  }
  const run: FileBench['run'] = async (more = {}, on = files) => {
    const result = await uploadFileOn(
      path,
      { ...options, ...more },
      {
        ...realUploadEnvironment,
        sourceFiles: on,
      },
    )
    t.equal(on.openHandles, 0, 'the file is closed')
    return result
  }
  return {
    ...dev,
    path,
    bytes,
    options,
    files,
    run,
    async runSome(count, more = {}, on = files) {
      const stop = new AbortController()
      let stored = 0
      const error: unknown = await run(
        {
          ...more,
          signal: stop.signal,
          on: {
            part: ({ reused }) => {
              if (!reused && ++stored === count) stop.abort()
            },
          },
        },
        on,
      ).catch((reason: unknown) => reason)
      if (!(error instanceof UploadError)) throw new Error('it was to end')
      return error
    },
    async flip(offset) {
      const { atime, mtime } = await stat(path)
      const file = await open(path, 'r+')
      bytes[offset] = (bytes[offset] ?? 0) ^ 0xff
      await file.write(bytes.subarray(offset, offset + 1), 0, 1, offset)
      await file.close()
      await utimes(path, atime, mtime)
    },
    logs: async () =>
      (await readdir(dev.directory)).filter((name) => name.endsWith('.pawl')),
  }
}

/** Bytes in the parts that the only log knows. */
export async function loggedBytes(b: FileBench): Promise<number> {
  const [log = ''] = await b.logs()
  const { bytesStored } = await readCheckpoint(join(b.directory, log))
  return bytesStored
}

/** A run whose Complete goes through while its answers are lost. */
export async function completeUnheard(b: FileBench): Promise<void> {
  b.server.setFault(completesUnheard)
  const error: unknown = await b
    .run({ retry: { attempts: 1 } })
    .catch((reason: unknown) => reason)
  if (!(error instanceof UploadError)) throw new Error('it was to fail')
  b.server.setFault(undefined)
}
