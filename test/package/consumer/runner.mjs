/**
 * What a test of a user's does, in whichever runner: suspends an upload by a
 * signal of the runner's realm, goes on with it, and uploads the file beside it.
 */
import { once } from 'node:events'
import {
  createReadStream,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import {
  createResumableUploadStream,
  ossStore,
  readCheckpoint,
  UploadError,
  uploadFile,
} from 'pawl'
import { startDevServer } from 'pawl/dev-server'

export async function suspendAndResume() {
  const server = await startDevServer()
  const directory = mkdtempSync(join(tmpdir(), 'pawl-runner-'))
  const file = join(directory, 'source.bin')
  const bytes = Buffer.alloc(4 * 1024 * 1024 + 1, 'pawl and pawl again ')
  writeFileSync(file, bytes)
  const store = ossStore({
    endpoint: server.endpoint,
    region: 'cn-hangzhou',
    bucket: 'examplebucket',
    credentials: { accessKeyId: 'dev', accessKeySecret: 'dev-secret' },
  })
  const checkpoint = join(directory, 'log.pawl')
  const controller = new AbortController()
  const options = { store, checkpoint, partSize: 1024 * 1024, concurrency: 1 }
  try {
    const missing = await readCheckpoint(checkpoint).catch((error) => error)
    const first = createResumableUploadStream({
      ...options,
      key: 'stream',
      signal: controller.signal,
    })
    server.setFault(({ partNumber }) =>
      partNumber === 3 ? { kind: 'silence' } : undefined,
    )
    const sending = pipeline(createReadStream(file), first).catch(() => {})
    while ((await once(first, 'part'))[0].partNumber < 2);
    controller.abort()
    await sending
    const suspended = await first.result.catch((error) => error)
    server.setFault(undefined)
    const second = createResumableUploadStream({ ...options, key: 'stream' })
    await pipeline(createReadStream(file), second)
    const result = await second.result
    const { verified } = await uploadFile(file, { store, key: 'file' })
    const stored = ['stream', 'file'].map((key) =>
      readFileSync(server.objectPath('examplebucket', key)),
    )
    return {
      missing: missing.message.includes('there is no such file'),
      isOurs: suspended instanceof UploadError,
      suspended: suspended.code,
      resumed: result.resumed,
      reused: result.partsReused,
      verified: [result.verified, verified],
      equal: stored.map((object) => object.equals(bytes)),
    }
  } finally {
    await store.close()
    await server.close()
  }
}

export const expected = {
  missing: true,
  isOurs: true,
  suspended: 'PAWL_SUSPENDED',
  resumed: true,
  reused: 2,
  verified: ['crc64', 'crc64'],
  equal: [true, true],
}
