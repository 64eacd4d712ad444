/** Small files, some at once, by one of several clients. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

const senders = { bare, pawl, 'ali-oss': aliOss, aws, minio }

export async function createClient(options) {
  const { client, atOnce, different } = options
  const { send, end } = await senders[client](options)
  return {
    async run({ path, files, key }) {
      let next = 0
      const work = async () => {
        while (next < files) {
          const number = next++
          const file = join(path, `file-${number % different}`)
          await send(file, `${key}-${number}`)
        }
      }
      await Promise.all(Array.from({ length: atOnce }, work))
    },
    end,
  }
}

async function bare({ port, atOnce }) {
  const { Pool } = await import('undici')
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: atOnce })
  return {
    async send(file, key) {
      const { statusCode, body } = await pool.request({
        method: 'PUT',
        path: `/bench/${key}`,
        body: await readFile(file),
      })
      await body.dump()
      if (statusCode !== 200) throw new Error(`status ${statusCode}`)
    },
    end: () => pool.close(),
  }
}

async function pawl(options) {
  const { uploadFile } = await import('../../dist/index.js')
  const { storeOf } = await import('./pawl.js')
  const store = storeOf(options)
  const { verify, checkpoint } = options
  const told = {
    ...(verify === undefined ? {} : { verify }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
  }
  return {
    send: (file, key) => uploadFile(file, { store, key, ...told }),
    end: () => store.close(),
  }
}

async function aliOss({ port }) {
  const { default: OSS } = await import('ali-oss')
  const client = new OSS({
    accessKeyId: 'bench',
    accessKeySecret: 'bench',
    bucket: 'bench',
    region: 'cn-hangzhou',
    endpoint: `http://127.0.0.1:${port}`,
  })
  return { send: (file, key) => client.put(key, file) }
}

async function aws({ port }) {
  const { S3Client } = await import('@aws-sdk/client-s3')
  const { Upload } = await import('@aws-sdk/lib-storage')
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${port}`,
    forcePathStyle: true,
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  })
  return {
    async send(file, key) {
      const params = { Bucket: 'bench', Key: key, Body: await readFile(file) }
      await new Upload({ client, params }).done()
    },
    end: () => client.destroy(),
  }
}

async function minio({ port }) {
  const { Client } = await import('minio')
  const client = new Client({
    endPoint: '127.0.0.1',
    port,
    useSSL: false,
    accessKey: 'bench',
    secretKey: 'bench',
    region: 'us-east-1',
    pathStyle: true,
  })
  return { send: (file, key) => client.fPutObject('bench', key, file) }
}
