/** Profiles of AWS, lines of pino, and a function that is cut off by its time. */
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pino } from 'pino'
import t from 'tap'
import {
  createResumableUploadStream,
  memoryCheckpoint,
  uploadBytes,
} from '../../lib/index.js'
import { noise } from '../support/dev-store.js'
import { exampleRunner, key, part } from '../support/example-runner.js'
import { listening } from '../support/listening.js'
import { chunksOf } from '../support/small-upload.js'

const { storeOfProfile } = await import('../../docs/examples/aws-profile.js')
const { logUpload } = await import('../../docs/examples/pino-log.js')
const { copyHandler } = await import('../../docs/examples/lambda.js')

await t.test('a profile has the keys and says where', async (t) => {
  const credentials = { accessKeyId: 'backup-id', accessKeySecret: 'hidden' }
  const run = await exampleRunner(t, { credentials })
  const home = join(run.directory, 'home')
  await mkdir(join(home, '.aws'), { recursive: true })
  await writeFile(
    join(home, '.aws/credentials'),
    `[default]\naws_access_key_id = other\naws_secret_access_key = other\n
[backup]\naws_access_key_id = backup-id\naws_secret_access_key = hidden\n`,
  )
  const before = process.env['HOME']
  process.env['HOME'] = home
  t.teardown(() => (process.env['HOME'] = before))
  const store = storeOfProfile('backup', {
    bucket: 'examplebucket',
    region: 'us-east-1',
    endpoint: run.server.endpoint,
  })
  t.teardown(() => store.close())
  await uploadBytes(noise(100), { store, key: 'by-profile' })
  t.ok(noise(100).equals(await run.object('by-profile')))
  t.match(run.seen('PutObject')[0]?.headers['authorization'], /backup-id/)
})

await t.test('what matters of an upload is a line each', async (t) => {
  const run = await exampleRunner(t)
  const lines: Record<string, unknown>[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().trim().split('\n')) {
        lines.push(JSON.parse(line) as Record<string, unknown>)
      }
      done()
    },
  })
  const logger = pino({ level: 'debug' }, sink)
  let failures = 2
  run.server.setFault(({ operation }) =>
    operation === 'UploadPart' && failures-- > 0
      ? { kind: 'status', status: 503, code: 'SlowDown' }
      : undefined,
  )
  const upload = createResumableUploadStream(run.options())
  logUpload(upload, logger, key)
  await pipeline(Readable.from(chunksOf(noise(3 * part))), upload)
  await upload.result
  t.ok(lines.every((line) => line['key'] === key))
  const said = (text: string) => lines.filter(({ msg }) => msg === text)
  t.equal(said('upload begun').length, 1)
  t.equal(said('part stored').length, 3)
  t.match(said('request tried again'), [
    { level: 40, err: { code: 'PAWL_SERVER', status: 503 } },
    {},
  ])
  t.match(said('upload complete'), [{ result: { parts: 3 } }])

  const stopped = createResumableUploadStream(run.options({ key: 'other' }))
  logUpload(stopped, logger, 'other')
  stopped.on('error', () => undefined).destroy()
  await stopped.result.catch(() => undefined)
  t.match(said('upload ended'), [
    { level: 50, key: 'other', err: { code: 'PAWL_SUSPENDED' } },
  ])
  t.notMatch(JSON.stringify(lines), /dev-secret/)
})

await t.test('a function whose time is up goes on when asked', async (t) => {
  const run = await exampleRunner(t)
  const bytes = noise(17 * 1024 * 1024)
  const origin = await listening(
    t,
    createServer((_request, response) => response.end(bytes)),
  )
  const log = memoryCheckpoint()
  const handler = copyHandler(run.store, () => log)
  const job = { url: `${origin}/dump`, key }
  run.server.setFault(({ partNumber }) =>
    partNumber === 2 ? { kind: 'silence' } : undefined,
  )
  const short = { getRemainingTimeInMillis: () => 6000 }
  t.same(await handler(job, short), { done: false })
  run.server.setFault(undefined)
  const long = { getRemainingTimeInMillis: () => 900_000 }
  t.same(await handler(job, long), { done: true, size: bytes.length })
  t.equal(run.seen('CreateMultipartUpload').length, 1, 'one upload')
  t.ok(bytes.equals(await run.object(key)))

  const none = { ...job, url: 'http://127.0.0.1:1/' }
  await t.rejects(handler(none, long), /fetch failed/)
})
