/**
 * What each OSS SDK's resumable upload offers, a row for each: the option that
 * it has there, said as it is said here, and what comes of it on the wire, in
 * the log and in the object.
 */
import { createServer } from 'node:http'
import { existsSync } from 'node:fs'
import { mkdir, readdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import t from 'tap'
import type { SeenRequest } from '../../lib/dev-server/index.js'
import {
  CallbackError,
  createResumableUploadStream,
  discardFileUpload,
  readCheckpoint,
  UploadError,
  uploadFile,
  type PartEvent,
  type Progress,
  type RestartedEvent,
  type UploadFileOptions,
  type UploadResult,
} from '../../lib/index.js'
import {
  devStore,
  noise,
  smallPart,
  type DevStore,
} from '../support/dev-store.js'

const key = 'exampledir/exampleobject.txt'

interface Row extends DevStore {
  path: string
  bytes: Buffer
  /** Uploads the file with small parts, and checks the object's bytes. */
  upload(options?: Partial<UploadFileOptions>): Promise<UploadResult>
  /** The same, suspended when `count` parts are stored. */
  uploadSome(
    count: number,
    options?: Partial<UploadFileOptions>,
  ): Promise<UploadError>
}

async function row(t: Test, parts = 6): Promise<Row> {
  const dev = await devStore(t)
  const path = join(dev.directory, 'examplefile.txt')
  const bytes = noise(parts * smallPart)
  await writeFile(path, bytes)
  const options: UploadFileOptions = {
    store: dev.store,
    key,
    partSize: smallPart,
    retry: { attempts: 5, baseDelay: 1, maxDelay: 5 },
  }
  const uploadSome: Row['uploadSome'] = async (count, more = {}) => {
    const stop = new AbortController()
    let stored = 0
    const onPart = () => ++stored === count && stop.abort()
    const error: unknown = await uploadFile(path, {
      ...options,
      ...more,
      signal: stop.signal,
      on: { ...more.on, part: () => void onPart() },
    }).catch((reason: unknown) => reason)
    if (error instanceof UploadError) return error
    throw new Error('it was to be suspended')
  }
  return {
    ...dev,
    path,
    bytes,
    uploadSome,
    async upload(more = {}) {
      const result = await uploadFile(path, { ...options, ...more })
      t.ok(bytes.equals(await dev.object(more.key ?? key)), 'the bytes')
      return result
    },
  }
}

/**
 * The most requests for parts that were open at once from now on. What an
 * earlier run left is not counted: a server learns late, or never, that a
 * client has gone.
 */
function inFlight(row: Row): { most: () => number } {
  const before = row.seen('UploadPart').length
  let most = 0
  row.server.setFault(() => {
    const open = row
      .seen('UploadPart')
      .slice(before)
      .filter(({ status }) => status === undefined).length
    most = Math.max(most, open)
    return { kind: 'delay', ms: 5 }
  })
  return { most: () => most }
}

function headersOf(requests: SeenRequest[], name: string): unknown[] {
  return requests.map(({ headers }) => headers[name])
}

await t.test(
  'Java: TaskNum, PartSize, EnableCheckpoint, CheckpointFile',
  async (t) => {
    const r = await row(t)
    const checkpoint = `${r.path}.ucp`
    await r.uploadSome(2, { checkpoint, concurrency: 2 })
    t.ok(existsSync(checkpoint))
    const open = inFlight(r)
    const result = await r.upload({ checkpoint, concurrency: 2 })
    t.match(result, { resumed: true, parts: 6 })
    t.ok(result.partsReused >= 2)
    t.ok(open.most() <= 2)
    t.notOk(existsSync(checkpoint))
    const wrong = [100 * 1024 - 1, 5 * 1024 ** 3 + 1]
    for (const partSize of wrong) {
      await t.rejects(r.upload({ partSize }), { code: 'PAWL_INVALID_OPTION' })
    }
  },
)

await t.test(
  'Java: ObjectMetadata goes on Initiate, the ACL on Complete',
  async (t) => {
    const r = await row(t)
    const object = {
      contentType: 'text/plain',
      cacheControl: 'no-cache',
      contentDisposition: 'attachment',
      contentEncoding: 'gzip',
      expires: 'Wed, 21 Oct 2026 07:28:00 GMT',
      metadata: { author: 'somebody' },
      acl: 'public-read',
      storageClass: 'IA',
      tagging: { project: 'a b' },
      encryption: { algorithm: 'KMS', keyId: 'key-1' },
      forbidOverwrite: true,
      headers: { 'content-language': 'de' },
    }
    await r.upload({ object })
    const fixed = {
      'content-type': 'text/plain',
      'cache-control': 'no-cache',
      'content-disposition': 'attachment',
      'content-encoding': 'gzip',
      expires: 'Wed, 21 Oct 2026 07:28:00 GMT',
      'x-oss-meta-author': 'somebody',
      'x-oss-storage-class': 'IA',
      'x-oss-tagging': 'project=a%20b',
      'x-oss-server-side-encryption': 'KMS',
      'x-oss-server-side-encryption-key-id': 'key-1',
      'x-oss-forbid-overwrite': 'true',
      'content-language': 'de',
    }
    const [initiate] = r.seen('CreateMultipartUpload')
    t.match(initiate?.headers, fixed)
    t.notOk('x-oss-object-acl' in (initiate?.headers ?? {}))
    const [complete] = r.seen('CompleteMultipartUpload')
    t.match(complete?.headers, { 'x-oss-object-acl': 'public-read' })
    await t.rejects(r.upload({ object }), { code: 'PAWL_ALREADY_EXISTS' })
    await r.upload({
      object: { ...object, forbidOverwrite: false },
      multipartThreshold: 100 * smallPart,
    })
    const { 'x-oss-forbid-overwrite': _, ...onPut } = fixed
    const [put] = r.seen('PutObject')
    t.match(put?.headers, { ...onPut, 'x-oss-object-acl': 'public-read' })
  },
)

await t.test(
  'Java: traffic limit, sequential mode, request payer',
  async (t) => {
    const r = await row(t)
    const open = inFlight(r)
    await r.upload({
      trafficLimit: 838_860_800,
      sequential: true,
      requestPayer: 'requester',
    })
    t.equal(open.most(), 1)
    const parts = r.seen('UploadPart')
    t.same(
      parts.map(({ partNumber }) => partNumber),
      [1, 2, 3, 4, 5, 6],
    )
    t.same(
      new Set(headersOf(parts, 'x-oss-traffic-limit')),
      new Set(['838860800']),
    )
    t.match(r.seen('CreateMultipartUpload')[0]?.url, /[?&]sequential/)
    t.same(
      new Set(headersOf([...r.server.requests], 'x-oss-request-payer')),
      new Set(['requester']),
    )
  },
)

interface Hook {
  url: string
  bodies: string[]
}

async function callbackServer(t: Test, status = 200): Promise<Hook> {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(body)
      response.statusCode = status
      response.setHeader('content-type', 'application/json')
      response.end('{"Status":"OK"}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/hook`, bodies }
}

await t.test(
  'Java: Callback, of an upload in parts and of one request',
  async (t) => {
    const r = await row(t)
    const { url, bodies } = await callbackServer(t)
    const callback = {
      url,
      body: '{"object":${object},"size":${size},"who":${x:who}}',
      bodyType: 'application/json' as const,
      host: 'callbacks.example',
      variables: { who: 'java' },
    }
    for (const [multipartThreshold, operation] of [
      [0, 'CompleteMultipartUpload'],
      [100 * smallPart, 'PutObject'],
    ] as const) {
      const result = await r.upload({
        multipartThreshold,
        object: { callback },
      })
      t.equal(result.callbackBody, '{"Status":"OK"}')
      const [request] = r.seen(operation)
      const [settings, variables] = [
        'x-oss-callback',
        'x-oss-callback-var',
      ].map((name) => fromBase64(request?.headers[name]))
      t.match(settings, {
        callbackUrl: url,
        callbackBody: callback.body,
        callbackBodyType: 'application/json',
        callbackHost: 'callbacks.example',
      })
      t.same(variables, { 'x:who': 'java' })
      t.match(JSON.parse(bodies.at(-1) ?? ''), {
        object: key,
        size: r.bytes.length,
        who: 'java',
      })
    }
    t.equal(bodies.length, 2)
    t.same(headersOf(r.seen('CreateMultipartUpload'), 'x-oss-callback'), [
      undefined,
    ])
  },
)

function fromBase64(header: unknown): unknown {
  return JSON.parse(Buffer.from(String(header), 'base64').toString())
}

await t.test(
  'Node: progress(percentage, checkpoint), parallel, meta, mime, headers, callback with custom values',
  async (t) => {
    const r = await row(t)
    const { url, bodies } = await callbackServer(t)
    const open = inFlight(r)
    const percentages: number[] = []
    const checkpoint = join(r.directory, 'log.pawl')
    const logged: Promise<number>[] = []
    const result = await r.upload({
      checkpoint,
      concurrency: 3,
      object: {
        metadata: { year: '2024', people: 'test' },
        contentType: 'text/x-mime',
        headers: { 'cache-control': 'max-age=9' },
        callback: {
          url,
          body: 'key=${object}&size=${size}&custom=${x:mine}',
          variables: { mine: 'own value' },
        },
      },
      onProgress: ({ bytesStored, bytesTotal = 0 }) =>
        void percentages.push(bytesStored / bytesTotal),
      on: {
        part: () =>
          void logged.push(readCheckpoint(checkpoint).then((log) => log.parts)),
      },
    })
    t.equal(percentages.at(-1), 1)
    t.same(
      percentages,
      percentages.toSorted((a, b) => a - b),
    )
    t.ok((await Promise.all(logged)).some((parts) => parts > 0))
    t.ok(open.most() <= 3)
    t.match(r.seen('CreateMultipartUpload')[0]?.headers, {
      'content-type': 'text/x-mime',
      'cache-control': 'max-age=9',
      'x-oss-meta-year': '2024',
      'x-oss-meta-people': 'test',
    })
    t.equal(bodies.length, 1)
    t.match(bodies[0], /custom=own/)
    t.equal(result.callbackBody, '{"Status":"OK"}')
  },
)

await t.test(
  'Python: ResumableStore directory, multipart_threshold, part_size, num_threads, progress_callback(consumed, total or None)',
  async (t) => {
    const r = await row(t)
    const checkpointDir = join(r.directory, 'store')
    await mkdir(checkpointDir)
    const error = await r.uploadSome(3, { checkpointDir })
    t.equal(error.code, 'PAWL_SUSPENDED')
    t.equal((await readdir(checkpointDir)).length, 1)
    t.match(await r.upload({ checkpointDir, concurrency: 2 }), {
      resumed: true,
    })
    t.same(await readdir(checkpointDir), [])
    const put = await r.upload({ multipartThreshold: 10 * 1024 * 1024 })
    t.equal(put.parts, 0)

    const seen: Progress[] = []
    const stream = createResumableUploadStream({
      store: r.store,
      key: 'stream',
      checkpoint: false,
      partSize: smallPart,
    })
    stream.on('progress', (progress: Progress) => seen.push(progress))
    await pipeline(Readable.from([r.bytes]), stream)
    t.match(seen.at(-1), {
      bytesStored: r.bytes.length,
      bytesTotal: undefined,
    })
  },
)

await t.test(
  'C#: CheckpointDir null is no resume; an error has code, message, request ID, host ID',
  async (t) => {
    const r = await row(t)
    const before = await readdir(r.directory)
    await r.uploadSome(3, { checkpoint: false })
    t.same(await readdir(r.directory), before)
    t.match(await r.upload({ checkpoint: false }), {
      resumed: false,
      partsReused: 0,
    })
    const refused = r.another({ bucket: 'no-such-bucket' })
    await t.rejects(r.upload({ store: refused }), {
      code: 'PAWL_NO_SUCH_BUCKET',
      message: /NoSuchBucket/,
      status: 404,
      serverCode: 'NoSuchBucket',
      requestId: /./,
      hostId: /./,
      key,
    })
  },
)

await t.test(
  'C++: part size, threads, a directory must exist, V4 signing with region',
  async (t) => {
    const r = await row(t)
    const checkpointDir = join(r.directory, 'missing')
    await t.rejects(r.upload({ checkpointDir }), {
      code: /^PAWL_CHECKPOINT/,
      message: /missing/,
    })
    t.same(r.server.requests, [])
    await r.upload()
    const size = 17 * 1024 * 1024
    const large = join(r.directory, 'large')
    await writeFile(large, noise(size))
    const sizes: number[] = []
    await uploadFile(large, {
      store: r.store,
      key: 'large',
      on: { part: (part) => void sizes.push(part.size) },
    })
    const [eight, one] = [8 * 1024 * 1024, 1024 * 1024]
    t.same(
      sizes.toSorted((a, b) => b - a),
      [eight, eight, one],
      'the part size that nobody gave',
    )
    for (const { headers } of r.server.requests) {
      t.match(
        headers['authorization'],
        /^OSS4-HMAC-SHA256 Credential=dev\/\d{8}\/cn-hangzhou\/oss\/aliyun_v4_request/,
      )
    }
  },
)

await t.test(
  'C: part size, threads, checkpoint on/off, path, progress',
  async (t) => {
    const r = await row(t)
    const checkpoint = join(r.directory, 'cp.txt')
    const seen: Progress[] = []
    await r.uploadSome(2, { checkpoint })
    t.ok(existsSync(checkpoint))
    const result = await r.upload({
      checkpoint,
      concurrency: 1,
      onProgress: (progress) => void seen.push(progress),
    })
    t.equal(result.resumed, true)
    t.equal(seen.at(-1)?.bytesStored, seen.at(-1)?.bytesTotal)
    t.match(await r.upload({ checkpoint: false }), { resumed: false })
  },
)

await t.test(
  'Go: Routines, Checkpoint(true, ""), and at most 10,000 parts',
  async (t) => {
    const r = await row(t)
    await r.uploadSome(2, { concurrency: 2 })
    const logs = (await readdir(r.directory)).filter((name) =>
      name.startsWith('examplefile.txt.'),
    )
    t.equal(logs.length, 1, 'the log is next to the file')
    t.match(await r.upload(), { resumed: true })

    const large = join(r.directory, 'large')
    await writeFile(large, '')
    await truncate(large, 10_000 * smallPart + 1)
    const stop = new AbortController()
    const parts: PartEvent[] = []
    const upload = uploadFile(large, {
      store: r.store,
      key: 'large',
      partSize: smallPart,
      signal: stop.signal,
      on: {
        part(event) {
          parts.push(event)
          stop.abort()
        },
      },
    })
    await t.rejects(upload, { code: 'PAWL_SUSPENDED' })
    t.equal(parts[0]?.size, 1024 * 1024)
  },
)

await t.test(
  'Ruby: part_size, cpt_file, progress; broken checkpoint, changed file and callback are told apart',
  async (t) => {
    const r = await row(t)
    const checkpoint = join(r.directory, 'cpt_file')
    await writeFile(checkpoint, 'this is no log')
    await t.rejects(r.upload({ checkpoint }), {
      code: 'PAWL_NOT_A_CHECKPOINT',
    })
    await writeFile(checkpoint, '')

    const changed: unknown = await r
      .upload({
        checkpoint,
        beforeComplete: () => writeFile(r.path, noise(10)),
      })
      .catch((reason: unknown) => reason)
    t.match(changed, { code: 'PAWL_SOURCE_CHANGED', resumable: true })
    await writeFile(r.path, r.bytes)

    const { url } = await callbackServer(t, 500)
    const failed: unknown = await r
      .upload({ checkpoint, object: { callback: { url, body: 'a=b' } } })
      .catch((reason: unknown) => reason)
    t.ok(failed instanceof CallbackError)
    t.match(failed, {
      code: 'PAWL_CALLBACK_FAILED',
      completed: true,
      result: { key, size: r.bytes.length },
    })
    t.ok(r.bytes.equals(await r.object(key)), 'the object is there')
  },
)

await t.test(
  'Android: record directory, progress, cancel; deleting on cancel is a call of its own',
  async (t) => {
    const r = await row(t)
    const checkpointDir = join(r.directory, 'records')
    await mkdir(checkpointDir)
    t.match(await r.uploadSome(2, { checkpointDir }), {
      code: 'PAWL_SUSPENDED',
      resumable: true,
    })
    t.equal(r.server.openUploads().length, 1, 'cancelled, and kept')
    await discardFileUpload(r.path, {
      store: r.store,
      key,
      checkpointDir,
    })
    t.same(r.server.openUploads(), [], 'deleted')
    t.same(await readdir(checkpointDir), [])
    t.match(await r.upload({ checkpointDir }), { resumed: false })
  },
)

await t.test(
  'iOS: bytes sent, total sent, expected; resume is never impossible',
  async (t) => {
    const r = await row(t)
    await r.uploadSome(3)
    const [upload] = r.server.openUploads()
    await r.store.abortUpload(
      { key, uploadId: upload?.uploadId ?? '' },
      {
        signal: new AbortController().signal,
        timeouts: { connect: 5000, stall: 5000, headers: 5000 },
      },
    )
    const restarts: RestartedEvent[] = []
    const seen: Progress[] = []
    const result = await r.upload({
      onProgress: (progress) => void seen.push(progress),
      on: { restarted: (event) => void restarts.push(event) },
    })
    t.same(restarts, [{ reason: 'upload-gone' }])
    t.match(result, { resumed: false, partsReused: 0 })
    t.match(seen.at(-1), {
      bytesRead: r.bytes.length,
      bytesSent: r.bytes.length,
      bytesStored: r.bytes.length,
      bytesReused: 0,
      bytesTotal: r.bytes.length,
    })
    await r.uploadSome(3)
    const resumed = await r.upload({
      onProgress: (progress) => void seen.push(progress),
    })
    t.ok(resumed.bytesReused >= 3 * smallPart)
    t.match(seen.at(-1), {
      bytesRead: r.bytes.length,
      bytesSent: r.bytes.length - resumed.bytesReused,
      bytesStored: r.bytes.length,
      bytesReused: resumed.bytesReused,
    })
  },
)
