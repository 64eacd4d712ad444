/**
 * A real HTTP server on a free port of loopback that answers each request by
 * the next step of a script, or by `otherwise`.
 */
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Test } from 'tap'

export interface Exchange {
  request: http.IncomingMessage
  response: http.ServerResponse
  socket: Socket
  /** From 0. */
  index: number
}

export type Step = (exchange: Exchange) => void | Promise<void>

export interface ScriptedServer {
  origin: string
  port: number
  /** In order of arrival. */
  requests: http.IncomingMessage[]
  sockets: Set<Socket>
  /** Steps that have not been taken yet. */
  script: Step[]
}

export async function scriptedServer(
  t: Test,
  {
    steps = [],
    otherwise = answer(200),
    tls,
  }: {
    steps?: Step[]
    otherwise?: Step
    tls?: https.ServerOptions | undefined
  } = {},
): Promise<ScriptedServer> {
  const script = [...steps]
  const requests: http.IncomingMessage[] = []
  const sockets = new Set<Socket>()
  const onRequest: http.RequestListener = (request, response) => {
    const index = requests.push(request) - 1
    // Connections are cut on purpose.
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    const step = script.shift() ?? otherwise
    Promise.resolve(
      step({ request, response, socket: request.socket, index }),
    ).catch((error: unknown) => t.fail('a step failed', { error }))
  }
  const server =
    tls === undefined
      ? http.createServer({ keepAlive: true }, onRequest)
      : https.createServer(tls, onRequest)
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  server.headersTimeout = 0
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as AddressInfo
  const scheme = tls === undefined ? 'http' : 'https'
  return {
    origin: `${scheme}://127.0.0.1:${port}`,
    port,
    requests,
    sockets,
    script,
  }
}

/** Reads the body to its end. */
export async function bodyOf(request: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Reads the body, then answers. */
export function answer(
  status: number,
  headers: http.OutgoingHttpHeaders = {},
  body: string | Buffer = '',
): Step {
  return async ({ request, response }) => {
    await bodyOf(request)
    response.writeHead(status, {
      'content-length': Buffer.byteLength(body),
      ...headers,
    })
    response.end(body)
  }
}
