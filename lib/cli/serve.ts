/** `pawl serve`: the dev server on a directory, until Ctrl-C. */
import { once } from 'node:events'
import type { Output } from './reporter.js'
import { given } from './target.js'

export interface ServeFlags {
  port?: number
  host?: string
  allowRemote?: true
  bucket?: string[]
}

export async function serve(
  directory: string,
  { port, host, allowRemote, bucket: buckets }: ServeFlags,
  { out, signal }: { out: Output; signal: AbortSignal },
): Promise<void> {
  // Only this command needs it.
  const { startDevServer } = await import('../dev-server/index.js')
  const server = await startDevServer({
    directory,
    buckets: buckets ?? '*',
    ...given({ port, host, allowRemote }),
  })
  try {
    const bucket = buckets?.[0] ?? 'examplebucket'
    out.write(
      `OSS and S3 for development at ${server.endpoint}, objects in ${server.directory}\n` +
        `Try: pawl put FILE ${server.endpoint}/${bucket}/key\n`,
    )
    if (!signal.aborted) await once(signal, 'abort')
  } finally {
    await server.close()
  }
}
