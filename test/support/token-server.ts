/** A server for tokens on loopback: answers by path, and counts what was asked. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export interface TokenServer {
  origin: string
  /** `METHOD /path` of every request, without its query. */
  asked: string[]
}

/** Answers by `METHOD /path`; what is not among them is 404. */
export async function tokenServer(
  t: Test,
  answers: Readonly<Record<string, string>>,
): Promise<TokenServer> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://any')
    const name = `${request.method} ${pathname}`
    asked.push(name)
    const answer = answers[name]
    request.resume().once('end', () => {
      response.writeHead(answer === undefined ? 404 : 200, {
        'content-type': answer?.startsWith('<') ? 'text/xml' : 'text/plain',
      })
      response.end(answer)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { origin: `http://127.0.0.1:${port}`, asked }
}
