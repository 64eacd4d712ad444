/** Starts the server's process. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/**
 * `line`: see `line.js`; none is the loopback as it is. `isTls`: with the
 * certificate of the tests.
 */
export async function startServer(crc64, line, { isTls = false } = {}) {
  const server = fork(fileURLToPath(new URL('server.js', import.meta.url)), [
    JSON.stringify({ line, isTls }),
  ])
  const [{ port }] = await once(server, 'message')
  server.send({ crc64 })
  return {
    port,
    /** CPU seconds that it has taken. */
    async cpu() {
      server.send({ ask: 'cpu' })
      const [{ cpu }] = await once(server, 'message')
      return (cpu.user + cpu.system) / 1e6
    },
    /** How many bytes of bodies have come. */
    async bytes() {
      server.send({ ask: 'bytes' })
      const [{ bytes }] = await once(server, 'message')
      return bytes
    },
    /** How many objects it has been given, each key counted once. */
    async objects() {
      server.send({ ask: 'objects' })
      const [{ objects }] = await once(server, 'message')
      return objects
    },
    stop: () => server.disconnect(),
  }
}
