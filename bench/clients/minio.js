/**
 * `minio`: `putObject` of a stream, one part after the other. Over plain HTTP it
 * sends the SHA-256 of each part, over TLS the MD5; neither can be turned off.
 */
import { createReadStream } from 'node:fs'
import * as Minio from 'minio'

export async function createClient({ port, origin }) {
  const client = new Minio.Client({
    endPoint: '127.0.0.1',
    port,
    useSSL: origin !== undefined,
    accessKey: 'bench',
    secretKey: 'bench',
    region: 'us-east-1',
    pathStyle: true,
    partSize: 8 * 1024 * 1024,
  })
  return {
    run: ({ path, size, key }) =>
      client.putObject('bench', key, createReadStream(path), size),
  }
}
