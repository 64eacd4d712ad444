/** The old code and the new: the same object, and what happens after a kill. */
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { S3Client } from '@aws-sdk/client-s3'
import OSS from 'ali-oss'
import t from 'tap'
import type { SeenRequest } from '../../lib/dev-server/index.js'
import { s3Store } from '../../lib/index.js'
import { bucket, keys, noise } from '../support/dev-store.js'
import { exampleRunner, numbers } from '../support/example-runner.js'
import { chunksOf, until } from '../support/small-upload.js'

const MiB = 1024 * 1024

const refuseFromPart3 = ({ operation, partNumber = 0 }: SeenRequest) =>
  operation === 'UploadPart' && partNumber >= 3
    ? ({ kind: 'status', status: 403, code: 'AccessDenied' } as const)
    : undefined

await t.test('ali-oss', async (t) => {
  const { uploadWithAliOss } =
    await import('../../docs/examples/ali-oss-before.js')
  const { uploadWithPawl } =
    await import('../../docs/examples/ali-oss-after.js')
  const run = await exampleRunner(t)
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const client = new OSS({
    agent,
    endpoint: run.server.endpoint,
    region: 'oss-cn-hangzhou',
    bucket,
    ...keys,
    authorizationV4: true,
  })
  const path = join(run.directory, 'source')
  // As many parts as ali-oss sends at once: none is begun after a refusal.
  const bytes = noise(3 * MiB + 7)
  const clients = {
    'with-ali-oss': (log: string, key: string) =>
      uploadWithAliOss(client, path, { key, checkpoint: log }),
    'with-pawl': (log: string, key: string) =>
      uploadWithPawl(run.store, path, { key, checkpoint: log }),
  }

  /** ali-oss rejects while other parts are still under way. */
  const isSettled = (name: string, key: string, log: string): boolean => {
    if (name !== 'with-ali-oss') return true
    const refused = run
      .seen('UploadPart')
      .filter((part) => part.key === key && !part.applied)
      .map(({ partNumber }) => partNumber)
    const isIdle = Object.keys(agent.sockets).length === 0
    if (!isIdle || !refused.includes(3) || !refused.includes(4)) return false
    const text = readFileSync(log, 'utf8')
    const { doneParts } = JSON.parse(text) as { doneParts: unknown[] }
    return doneParts.length === 2
  }

  for (const [name, upload] of Object.entries(clients)) {
    await t.test(`${name}, broken off and gone on with`, async (t) => {
      await writeFile(path, bytes)
      const log = join(run.directory, `${name}.log`)
      run.server.setFault(refuseFromPart3)
      await t.rejects(upload(log, name), {
        message: /denied|AccessDenied|403/i,
      })
      await until(() => isSettled(name, name, log))
      run.server.setFault(undefined)
      const stored = run
        .seen('UploadPart')
        .filter(({ applied, key }) => applied && key === name)
        .map(({ partNumber }) => partNumber)
      if (name === 'with-ali-oss')
        t.same(
          stored.toSorted((a, b) => (a ?? 0) - (b ?? 0)),
          [1, 2],
        )
      const since = run.server.requests.length
      await upload(log, name)
      const sent = run.sentSince(since)
      t.notOk(sent.some((number) => stored.includes(number)))
      t.ok(bytes.equals(await run.object(name)))
    })
  }

  await t.test('a file that changed in between', async (t) => {
    const changed = noise(bytes.length, 2)
    const objects: Record<string, Buffer> = {}
    for (const [name, upload] of Object.entries(clients)) {
      await writeFile(path, bytes)
      const key = `${name}-changed`
      const log = join(run.directory, `${key}.log`)
      run.server.setFault(refuseFromPart3)
      await t.rejects(upload(log, key))
      await until(() => isSettled(name, key, log))
      run.server.setFault(undefined)
      await writeFile(path, changed)
      await upload(log, key)
      objects[name] = await run.object(key)
    }
    t.ok(objects['with-pawl']?.equals(changed), 'pawl: the file as it is')
    const mixed = Buffer.concat([
      bytes.subarray(0, 2 * MiB),
      changed.subarray(2 * MiB),
    ])
    t.ok(objects['with-ali-oss']?.equals(mixed), 'ali-oss: half of each')
  })
})

await t.test('lib-storage', async (t) => {
  const { uploadWithLibStorage } =
    await import('../../docs/examples/lib-storage-before.js')
  const { uploadWithPawl } =
    await import('../../docs/examples/lib-storage-after.js')
  const run = await exampleRunner(t)
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: run.server.endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: 'dev', secretAccessKey: 'dev-secret' },
    maxAttempts: 1,
  })
  t.teardown(() => client.destroy())
  const store = s3Store({
    region: 'us-east-1',
    endpoint: run.server.endpoint,
    bucket,
    credentials: { accessKeyId: 'dev', secretAccessKey: 'dev-secret' },
  })
  t.teardown(() => store.close())
  const partSize = 8 * MiB
  const bytes = noise(3 * partSize + 7)
  /** The bytes; `pause` comes when two parts and a little are given. */
  const source = (pause?: () => Promise<void>) =>
    Readable.from(
      (async function* () {
        const at = 2 * partSize + 1
        yield* chunksOf(bytes.subarray(0, at), 256 * 1024)
        await pause?.()
        yield* chunksOf(bytes.subarray(at), 256 * 1024)
      })(),
    )
  const log = join(run.directory, 'lib-storage.pawl')
  const clients = {
    before: (key: string, signal: AbortSignal, from = source()) =>
      uploadWithLibStorage(client, from, { bucket, key, signal }),
    after: (key: string, signal: AbortSignal, from = source()) =>
      uploadWithPawl(store, from, { key, checkpoint: log, signal }),
  }
  const { signal } = new AbortController()

  for (const [key, upload] of Object.entries(clients)) {
    await t.test(`${key}: the object and its headers`, async (t) => {
      await upload(key, signal)
      t.ok(bytes.equals(await run.object(key)))
      const created = run
        .seen('CreateMultipartUpload')
        .find((request) => request.key === key)
      t.match(created?.headers, {
        'content-type': 'application/gzip',
        'x-amz-meta-host': 'db1',
      })
    })
  }

  const ends = [
    { key: 'before', name: 'AbortError', left: 0, sent: numbers(1, 4) },
    { key: 'after', name: 'UploadError', left: 1, sent: numbers(3, 4) },
  ] as const
  for (const { key, name, left, sent } of ends) {
    await t.test(`${key}: aborted, and run again`, async (t) => {
      const stop = new AbortController()
      const object = `${key}-aborted`
      const parts = () =>
        run
          .seen('UploadPart')
          .filter((part) => part.key === object && part.status === 200)
      const pause = async (): Promise<void> => {
        await until(() => parts().length === 2)
        if (key === 'after') await run.logHas(2, { log, partSize })
        stop.abort()
      }
      await t.rejects(clients[key](object, stop.signal, source(pause)), {
        name,
      })
      await until(() => run.server.openUploads().length === left)
      const since = run.server.requests.length
      await clients[key](object, signal)
      t.same(run.sentSince(since), sent)
      t.ok(bytes.equals(await run.object(object)))
    })
  }
})
