/** TLS in front of a plain server on loopback, as a balancer has it. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createServer } from 'node:tls'
import type { Test } from 'tap'

const file = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url))

/** The certificate of the front: its own authority. */
export const authority = file('cert.pem')

/** Resolves to the front's origin. */
export async function tlsFront(t: Test, port: number): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer(
    { key: readFileSync(file('key.pem')), cert: readFileSync(authority) },
    (socket) => {
      const onward = connect(port, '127.0.0.1')
      for (const [one, other] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        sockets.add(one)
        one.on('error', () => other.destroy())
      }
      onward.pipe(socket).pipe(onward)
    },
  )
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}
