/** `pawl serve`: the dev server on a directory, until Ctrl-C. */
import { once } from 'node:events'
import { isError, systemCode } from '../realm.js'
import type { DevServerCredentials } from '../dev-server/index.js'
import { UploadError } from '../index.js'
import { plainText } from './plain-text.js'
import type { Output } from './reporter.js'
import { given } from './target.js'

export interface ServeFlags {
  port?: number
  host?: string
  allowRemote?: true
  bucket?: string[]
  accessKey?: string
  secretKey?: string
}

export async function serve(
  directory: string,
  flags: ServeFlags,
  { out, log, signal }: { out: Output; log: Output; signal: AbortSignal },
): Promise<void> {
  const { port, host, allowRemote, bucket: buckets } = flags
  const credentials = ownKey(flags)
  // Loaded by this command only: the others start without it.
  const { startDevServer } = await import('../dev-server/index.js')
  const server = await startDevServer({
    directory,
    buckets: buckets ?? '*',
    keepRequests: false,
    onWarning: (text) => log.write(`pawl: ${plainText(text)}\n`),
    ...given({ port, host, allowRemote, credentials }),
  }).catch((error: unknown) => explain(error, directory, given({ port, host })))
  try {
    const key =
      credentials === undefined
        ? ''
        : 'OSS_ACCESS_KEY_ID=ID OSS_ACCESS_KEY_SECRET=SECRET '
    const bucket = buckets?.[0] ?? 'examplebucket'
    out.write(
      `OSS and S3 for development at ${server.endpoint}, objects in ${plainText(server.directory)}\n` +
        `Try: ${key}pawl put FILE ${server.endpoint}/${plainText(bucket)}/key\n`,
    )
    if (!signal.aborted) await once(signal, 'abort')
  } finally {
    await server.close()
  }
}

/** The key that requests have to be signed with; undefined for the usual one. */
function ownKey({
  accessKey,
  secretKey,
  allowRemote,
}: ServeFlags): DevServerCredentials | undefined {
  if (accessKey !== undefined && secretKey !== undefined) {
    return { accessKeyId: accessKey, accessKeySecret: secretKey }
  }
  if (accessKey !== undefined || secretKey !== undefined) {
    misused('--access-key and --secret-key go together')
  }
  return allowRemote === true
    ? misused(
        '--allow-remote needs --access-key and --secret-key; everybody knows the usual key',
      )
    : undefined
}

function misused(text: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', text)
}

/** What the system says about a port or a directory, in words. */
function explain(
  error: unknown,
  directory: string,
  { port = 0, host = '127.0.0.1' }: Pick<ServeFlags, 'port' | 'host'>,
): never {
  const code = systemCode(error)
  const words: Partial<Record<string, string>> = {
    EADDRINUSE: `port ${port} is in use; give another --port, or none for a free one`,
    EADDRNOTAVAIL: `${host} is not an address of this machine; give another --host`,
    ENOTFOUND: `${host} is not an address of this machine; give another --host`,
    EEXIST: `${directory} is not a directory; name another one`,
    ENOTDIR: `${directory} is not in a directory; name another one`,
  }
  const text = words[code] ?? unusable(error, directory)
  if (text === undefined) throw error
  throw new UploadError('PAWL_INVALID_OPTION', text, { cause: error })
}

/** A directory, or a file in it, that cannot be made, opened or read. */
function unusable(error: unknown, directory: string): string | undefined {
  if (!isError(error) || !('path' in error)) return undefined
  return `${directory} cannot be used (${systemCode(error)}); name another directory`
}
