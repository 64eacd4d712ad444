/**
 * A line to a server: of so many bytes a second, whatever the number of
 * connections, with what has passed it counted. It can be cut for a while.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** `rate` in bytes a second; without it the line has no limit. */
export async function openLine(target, rate = Infinity) {
  const sockets = new Set()
  const seen = { bytes: 0, requests: {} }
  let free = performance.now()
  const keep = (socket) => {
    sockets.add(socket)
    // Either side may be cut off on purpose.
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
  }
  const server = createServer((client) => {
    const behind = connect({ port: target, host: '127.0.0.1' })
    keep(client)
    keep(behind)
    let tail = ''
    client.on('data', (chunk) => {
      client.pause()
      const now = performance.now()
      free = Math.max(now, free) + (chunk.length / rate) * 1000
      setTimeout(() => {
        seen.bytes += chunk.length
        const text = tail + chunk.latin1Slice()
        for (const { 0: line, 1: method, index } of text.matchAll(
          requestLine,
        )) {
          // It was whole with the chunk before.
          if (index + line.length <= tail.length) continue
          seen.requests[method] = (seen.requests[method] ?? 0) + 1
        }
        tail = text.slice(-longestLine)
        const resume = () => client.resume()
        if (behind.write(chunk)) resume()
        else behind.once('drain', resume)
      }, free - now)
    })
    behind.on('data', (chunk) => client.write(chunk))
    client.on('end', () => behind.end())
    behind.on('end', () => client.end())
    client.once('close', () => behind.destroy())
    behind.once('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  const cut = async () => {
    for (const socket of sockets) socket.destroy()
    if (!server.listening) return
    server.close()
    await once(server, 'close')
  }
  return {
    endpoint: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    /** Bytes that have passed to the server, and requests by their method. */
    seen,
    /** Resolves when what a dead client has left in buffers has passed as well. */
    async idle() {
      while (sockets.size > 0) await sleep(50)
    },
    cut,
    async mend() {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
    },
    close: cut,
  }
}

/** Characters; a signature may be in it. */
const longestLine = 4096
/** A body may end with anything. */
const requestLine = /(PUT|POST|GET|HEAD|DELETE) \/\S* HTTP\/1\.1\r\n/g
