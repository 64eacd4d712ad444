/**
 * What production pays: the same over TLS, whole processes, beside bare undici PUTs
 * and other clients. The server is Node's own, with the certificate of the tests.
 */
import { fileURLToPath } from 'node:url'
import { row } from './support/report.js'
import { startServer } from './support/start-server.js'

export const title = 'over TLS'

const certificate = fileURLToPath(
  new URL('../test/fixtures/tls/cert.pem', import.meta.url),
)

export async function run({ runs, compare, input }) {
  const server = await startServer({}, undefined, { isTls: true })
  try {
    const origin = `https://127.0.0.1:${server.port}`
    const contender = (name, client, options = {}) => ({
      name,
      client,
      options: {
        port: server.port,
        directory: input.directory,
        origin,
        ...options,
      },
      env: { NODE_EXTRA_CA_CERTS: certificate },
    })
    const off = { verify: false }
    const found = await compare(
      [
        contender('fs.read + undici PUTs', 'bare-file', { isHashed: false }),
        contender('file: pawl', 'pawl-file', off),
        contender('stream: pawl', 'pawl-stream', off),
        {
          ...contender('file: ali-oss', 'ali-oss'),
          // It asks for the certificate of its own host names, wherever it goes.
          env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
        },
        contender('stream: lib-storage', 'aws', { checksums: false }),
        contender('stream: minio', 'minio'),
      ],
      { runs, isWhole: true },
    )
    const floor = found.get('fs.read + undici PUTs')
    const goalOf = (name, atMost) => ({
      goal: `over TLS: ${name}: CPU, of fs.read + undici PUTs`,
      atMost,
      measured: found.get(name).cpu / floor.cpu,
    })
    return {
      tables: [
        { title, rows: [...found].map(([name, one]) => row(name, one)) },
      ],
      goals: [goalOf('file: pawl', 1.15), goalOf('stream: pawl', 1.75)],
    }
  } finally {
    server.stop()
  }
}
