/** A line to a server of loopback that can be cut, and mended again. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import type { Test } from 'tap'

export interface Line {
  /** As the server's, through the line. */
  endpoint: string
  /** Connections are reset, and refused from now on. */
  cut(): Promise<void>
  mend(): Promise<void>
}

/**
 * An address of loopback that nobody else has: whoever got the port of a line that is
 * cut would answer in its place. Only Linux has them all.
 */
function ownAddress(): string {
  if (process.platform !== 'linux') return '127.0.0.1'
  return ['127', ...Array.from({ length: 3 }, () => randomInt(1, 255))].join(
    '.',
  )
}

/** `address`: where it listens; the command takes 127.0.0.1 only. */
export async function lineTo(
  t: Test,
  endpoint: string,
  address = ownAddress(),
): Promise<Line> {
  const { port } = new URL(endpoint)
  const sockets = new Set<net.Socket>()
  const keep = (socket: net.Socket): void => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
  }
  const server = net.createServer((socket) => {
    const onward = net.connect(Number(port), '127.0.0.1')
    keep(socket)
    keep(onward)
    socket.pipe(onward).pipe(socket)
    socket.once('close', () => onward.destroy())
    onward.once('close', () => socket.destroy())
  })
  const listen = async (on: number): Promise<number> => {
    server.listen(on, address)
    await once(server, 'listening')
    return (server.address() as net.AddressInfo).port
  }
  const own = await listen(0)
  const cut = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.resetAndDestroy()
    await closed
  }
  t.teardown(cut)
  return {
    endpoint: `http://${address}:${own}`,
    cut,
    mend: async () => void (await listen(own)),
  }
}
