/** Where the log of a file's upload is kept. */
import { basename, dirname, join, resolve } from 'node:path'
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import { defaultCheckpointName } from '../../checkpoint/default-path.js'
import { invalidOption } from '../../errors.js'
import type { UploadFileOptions } from './options.js'
import { checkCheckpoint, openableCheckpoint, sha256 } from './settings.js'
import type { UploadSettings } from './settings.js'

/** Bytes of a file's name that leave room for what is added to it. */
const longestName = 200

/** Throws `PAWL_INVALID_OPTION`. */
export function checkFileCheckpoint({
  checkpoint,
  checkpointDir,
}: Pick<UploadFileOptions, 'checkpoint' | 'checkpointDir'>): void {
  if (checkpoint !== undefined) checkCheckpoint(checkpoint)
  if (checkpointDir === undefined) return
  if (checkpoint !== undefined) {
    invalidOption('checkpoint and checkpointDir: only one of them can be given')
  }
  if (typeof checkpointDir !== 'string' || checkpointDir === '') {
    invalidOption('checkpointDir must be the path of a directory')
  }
}

/**
 * The sink for the log of a file's upload. Two targets of one file, and two
 * files for one target, never share a log unless a path is given for it.
 */
export function placeFileCheckpoint(
  path: string,
  { checkpoint, checkpointDir }: UploadFileOptions,
  { store, key, environment }: UploadSettings,
): Promise<Checkpoint> {
  const source = sha256(resolve(path))
  if (checkpoint === undefined && checkpointDir !== undefined) {
    const { identity } = store
    const name = defaultCheckpointName({ identity, key, source })
    return openableCheckpoint(join(checkpointDir, name), {
      store,
      key,
      sourceDigest: source,
      environment,
    })
  }
  return openableCheckpoint(
    checkpoint ?? besideFile(path, store.identity, key),
    { store, key, sourceDigest: source, environment },
  )
}

function besideFile(path: string, identity: string, key: string): string {
  const name = basename(path)
  const source = Buffer.byteLength(name) > longestName ? name : ''
  const log = defaultCheckpointName({ identity, key, source })
  const isShort = source === ''
  return join(dirname(path), isShort ? `${name}.${log}` : log)
}
