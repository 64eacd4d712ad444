/** A server of bytes, for what no HTTP server would do. */
import { once } from 'node:events'
import net from 'node:net'
import type { Test } from 'tap'

/** On a free port of loopback; its connections live as long as the test. */
export async function rawServer(
  t: Pick<Test, 'teardown'>,
  onSocket: (socket: net.Socket) => void = () => undefined,
): Promise<number> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as net.AddressInfo).port
}

/** A port of loopback at which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
