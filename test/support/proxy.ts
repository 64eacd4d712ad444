/** A proxy on loopback: tunnels by CONNECT, and plain requests passed on. */
import { once } from 'node:events'
import { createServer, request as send } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface Proxy {
  port: number
  /** `CONNECT host:port`, or `METHOD http://…`, in order. */
  asked: string[]
}

/** With `password`, everything without `Basic name:password` is 407. */
export async function startProxy(
  t: Test,
  { password }: { password?: string } = {},
): Promise<Proxy> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const wanted =
    password === undefined
      ? undefined
      : `Basic ${Buffer.from(password).toString('base64')}`
  const isRefused = (given: string | undefined): boolean =>
    wanted !== undefined && given !== wanted
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const { 'proxy-authorization': given, ...headers } = request.headers
    if (isRefused(given)) {
      request.resume()
      response.writeHead(407, { 'proxy-authenticate': 'Basic' }).end()
      return
    }
    const { hostname, port, pathname, search } = new URL(request.url ?? '')
    const onward = send(
      {
        host: hostname,
        port,
        path: pathname + search,
        method: request.method,
        headers,
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      },
    )
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })
  server.on('connect', (request, socket: Socket) => {
    asked.push(`CONNECT ${request.url}`)
    sockets.add(socket)
    socket.on('error', () => undefined)
    if (isRefused(request.headers['proxy-authorization'])) {
      socket.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n',
      )
      return
    }
    const [host = '', port = ''] = (request.url ?? '').split(':')
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    sockets.add(onward)
    onward.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, asked }
}
