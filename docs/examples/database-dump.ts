import { spawn, type ChildProcess } from 'node:child_process'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import {
  createResumableUploadStream,
  type UploadResult,
  type UploadStreamOptions,
} from 'pawl'

/** What a command prints, compressed, as an object. */
export async function uploadDump(
  [command, ...args]: [string, ...string[]],
  options: UploadStreamOptions,
): Promise<UploadResult> {
  const dump = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = failureOf(dump, command)
  const upload = createResumableUploadStream({
    ...options,
    beforeComplete: async () => {
      const failure = await ended
      if (failure !== undefined) throw failure
    },
  })
  try {
    await pipeline(dump.stdout, createGzip(), upload)
    return await upload.result
  } finally {
    // Nobody reads what it still prints when the upload has failed.
    dump.kill()
  }
}

/** Undefined when it ends well. Never rejects: it may end before it is asked. */
function failureOf(
  child: ChildProcess,
  command: string,
): Promise<Error | undefined> {
  return new Promise((resolve) => {
    child.once('error', resolve)
    child.once('exit', (code, signal) =>
      resolve(
        code === 0
          ? undefined
          : new Error(`${command} ended with ${code ?? signal}`),
      ),
    )
  })
}
