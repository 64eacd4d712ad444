import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { filePath } from '../file-path.js'
import { isError } from '../realm.js'
import { dialectOf } from './auth/authenticate.js'
import { Throttle } from './body/throttle.js'
import { Exchange, type Arrival } from './exchange.js'
import { checkOptions, isPublicKey, publicKey } from './check-options.js'
import type { DevServer, DevServerOptions, SeenRequest } from './options.js'
import { ownStore } from './own-store.js'
import { holdDirectory, type HeldDirectory } from './storage/directory-lock.js'
import { makeDirectory, type Warn } from './storage/directory.js'
import { Storage } from './storage/storage.js'
import { ApiError } from './wire/api-error.js'
import { operationOf, type Asked } from './wire/operation.js'
import { Query } from './wire/query.js'
import { parseTarget } from './wire/target.js'
import type { RequestHead } from './wire/request-head.js'

const digests = {
  all: ['md5', 'crc64ecma'],
  crc64: ['crc64ecma'],
  none: [],
} as const

/**
 * Starts a server that speaks enough of OSS and S3 for development and tests.
 * It listens on loopback, checks signatures, keeps objects in a directory and
 * misbehaves when told to. Throws `PAWL_INVALID_OPTION`.
 *
 * @example
 * const server = await startDevServer({ fault: () => ({ kind: 'reply-lost' }) })
 * console.log(server.endpoint)
 * await server.close()
 */
export async function startDevServer(
  options: DevServerOptions = {},
): Promise<DevServer> {
  const { host = '127.0.0.1', port = 0 } = options
  checkOptions(options)
  const isTemporary = options.directory === undefined
  const directory =
    options.directory === undefined
      ? mkdtempSync(join(tmpdir(), 'pawl-dev-server-'))
      : resolve(filePath(options.directory, 'directory must be a path'))
  const warn =
    options.onWarning ??
    ((text: string) => process.emitWarning(text, 'DevServerWarning'))
  makeDirectory(directory)
  const held = await holdDirectory(directory, warn)
  const storage = openStorage(options, directory, held, warn)
  const closing = new AbortController()
  const retiredTokens = new Set<string>()
  let { fault } = options
  let credentials = options.credentials ?? publicKey
  const state = {
    storage,
    now: () => Date.now() + (options.clockOffset ?? 0),
    keyring: () => ({
      current: credentials,
      retiredTokens,
      region: options.region,
    }),
    admission: {
      allowRemote: options.allowRemote ?? false,
      hosts: byLowerCase(options.hosts ?? {}),
      isKeyPublic: () => isPublicKey(credentials),
    },
    minPartSize: options.minPartSize,
    equalParts: options.equalParts ?? false,
    maxPageSize: options.maxPageSize ?? 1000,
    throttle:
      options.bytesPerSecond === undefined
        ? undefined
        : new Throttle(options.bytesPerSecond),
    signal: closing.signal,
  }
  const { keepRequests = true } = options
  const requests: SeenRequest[] = []
  let arrived = 0
  const open = new Set<Promise<void>>()

  const serve =
    (expectsContinue: boolean) =>
    (request: IncomingMessage, response: ServerResponse): void => {
      const { head, refusal } = readHead(request, state.admission.hosts)
      const asked: Asked =
        refusal === undefined
          ? operationOf(head, dialectOf(head))
          : { operation: 'Unknown' }
      const seen = look(request, head, asked.operation, arrived++)
      if (keepRequests) requests.push(seen)
      const arrival: Arrival = {
        request,
        response,
        expectsContinue,
        head,
        asked,
        seen,
        refusal,
        fault: fault?.(seen),
      }
      const running = new Exchange(state, arrival).run().catch((error) => {
        // A mistake of ours, or of the disk, while answering.
        response.destroy(isError(error) ? error : undefined)
      })
      open.add(running)
      void running.finally(() => open.delete(running))
    }

  const server = createServer({ maxHeaderSize: 128 * 1024 })
  server.on('request', serve(false))
  server.on('checkContinue', serve(true))
  // Only faults decide what takes too long here.
  server.requestTimeout = 0
  server.headersTimeout = 0
  server.keepAliveTimeout = 60_000
  const actualPort = await listen(server, port, host).catch(
    async (error: unknown) => {
      held.release()
      if (isTemporary) await rm(directory, { recursive: true, force: true })
      throw error
    },
  )

  const endpoint = `http://${host.includes(':') ? `[${host}]` : host}:${actualPort}`
  return {
    endpoint,
    port: actualPort,
    directory,
    requests,
    setFault(next) {
      fault = next
    },
    setCredentials(next) {
      checkOptions({ ...options, credentials: next })
      const { securityToken } = credentials
      if (securityToken !== undefined) retiredTokens.add(securityToken)
      if (next.securityToken !== undefined) {
        retiredTokens.delete(next.securityToken)
      }
      credentials = next
    },
    objectPath(bucket, key) {
      const record = storage.objects.get(bucket, key)
      return record === undefined ? undefined : storage.objects.dataPath(record)
    },
    store: (bucket, dialect) =>
      ownStore(
        { endpoint, region: options.region, credentials: () => credentials },
        bucket,
        dialect,
      ),
    openUploads: () =>
      storage.uploads.all().map(({ record, size }) => ({
        bucket: record.bucket,
        key: record.key,
        uploadId: record.uploadId,
        parts: size,
      })),
    async close() {
      closing.abort()
      if (server.listening) {
        const closed = once(server, 'close')
        server.close()
        server.closeAllConnections()
        await closed
      }
      await Promise.all(open)
      held.release()
      if (isTemporary) await rm(directory, { recursive: true, force: true })
    },
  }
}

/** What cannot be opened is let go. */
function openStorage(
  options: DevServerOptions,
  directory: string,
  held: HeldDirectory,
  warn: Warn,
): Storage {
  try {
    return new Storage(directory, {
      buckets: options.buckets ?? ['examplebucket'],
      discard: options.discard ?? false,
      digests: digests[options.digests ?? 'all'],
      warn,
    })
  } catch (error) {
    held.release()
    throw error
  }
}

/** Host names, which mean the same in any case. */
function byLowerCase(
  hosts: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(hosts).map(([name, bucket]) => [name.toLowerCase(), bucket]),
  )
}

/** Reads the head; one that cannot be read is kept for the log and refused. */
function readHead(
  request: IncomingMessage,
  hosts: DevServerOptions['hosts'],
): { head: RequestHead; refusal: ApiError | undefined } {
  const { headers, method = '', url = '/' } = request
  try {
    const target = parseTarget(url, headers.host ?? '', hosts)
    return { head: { ...target, method, headers }, refusal: undefined }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const nothing = { path: url, query: new Query([]) }
    const names = { bucket: undefined, key: undefined }
    return { head: { ...nothing, ...names, method, headers }, refusal: error }
  }
}

function look(
  { url = '' }: IncomingMessage,
  head: RequestHead,
  operation: SeenRequest['operation'],
  index: number,
): SeenRequest {
  const { query, method, headers, bucket, key } = head
  const partNumber = query.get('partNumber')
  return {
    index,
    dialect: dialectOf(head).name,
    operation,
    method,
    url,
    headers,
    bucket,
    key,
    uploadId: query.get('uploadId'),
    partNumber: partNumber === undefined ? undefined : Number(partNumber),
    time: Date.now(),
    bytes: 0,
    status: undefined,
    applied: false,
  }
}

async function listen(
  server: Server,
  port: number,
  host: string,
): Promise<number> {
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}
