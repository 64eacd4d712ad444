/**
 * Nothing that an upload says or keeps holds a credential, a signature or a query
 * string, also when servers echo them; and nothing that it is given gets into
 * headers, keys or files where it does not belong.
 */
import { readFile, symlink, writeFile, stat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t from 'tap'
import type { Test } from 'tap'
import type { Fault } from '../../lib/dev-server/index.js'
import {
  readCheckpoint,
  type ObjectStore,
  type ResumableUploadStream,
  type UploadStreamOptions,
} from '../../lib/index.js'
import { watchChannels } from '../support/channels.js'
import { noise } from '../support/dev-store.js'
import { smallStore } from '../support/small-store.js'
import { key, part, send, smallUploads } from '../support/small-upload.js'
import { scriptedServer } from '../support/scripted-server.js'
import { sized } from '../support/tier.js'
import { runWatchedChild } from '../support/watched-child.js'
import { testOssStore, testS3Store } from '../support/stores.js'

const id = 'LTAIexampleAccessKeyId42'
const secret = 'SecretOf42CharactersThatNobodyMaySee/+='
const token = 'CAISexampleSecurityTokenThatIsLongEnough=='
const credentials = {
  accessKeyId: id,
  accessKeySecret: secret,
  securityToken: token,
}

/** What the server saw of signatures, and what no text may hold. */
function secretsOf(
  requests: readonly {
    url: string
    headers: Readonly<Record<string, unknown>>
  }[],
): string[] {
  const found = new Set([id, secret, token, encodeURIComponent(token)])
  for (const { url, headers } of requests) {
    const [, query = ''] = url.split('?')
    if (query.length > 8) found.add(query)
    const given = headers['authorization']
    const authorization = typeof given === 'string' ? given : ''
    const signature = /Signature=(\w+)/.exec(authorization)?.[1]
    if (signature !== undefined) found.add(signature)
    if (authorization !== '') found.add(authorization)
  }
  return [...found]
}

function echo(status: number, code: string, more: Partial<Fault> = {}): Fault {
  const query = 'partNumber=2&amp;uploadId=U'
  return {
    kind: 'status',
    status,
    body: `<?xml version="1.0"?><Error><Code>${code}</Code>
<Message>the key ${id} with ${token} and ${secret} was refused</Message>
<OSSAccessKeyId>${id}</OSSAccessKeyId><SecurityToken>${token}</SecurityToken>
<SignatureProvided>0123456789abcdef</SignatureProvided>
<StringToSign>PUT ${token} ${query}</StringToSign>
<CanonicalRequest>x-oss-security-token:${token}</CanonicalRequest>
<RequestId>66B0</RequestId><HostId>${id}.example.com ${token}</HostId></Error>`,
    headers: { 'x-oss-err': 'not base64 ' + token, server: token },
    ...more,
  } as Fault
}

const failures: Record<string, (at: string | undefined) => Fault | undefined> =
  {
    'a refused signature': (at) =>
      at === 'UploadPart' ? echo(403, 'SignatureDoesNotMatch') : undefined,
    'an expired token': (at) =>
      at === 'UploadPart' ? echo(403, 'SecurityTokenExpired') : undefined,
    'a denied Initiate': (at) =>
      at === 'CreateMultipartUpload' ? echo(403, 'AccessDenied') : undefined,
    'a server error': (at) =>
      at === 'UploadPart' ? echo(500, 'InternalError') : undefined,
    'a Complete that is refused': (at) =>
      at === 'CompleteMultipartUpload' ? echo(400, 'InvalidPart') : undefined,
    'a Complete that is unknown': (at) =>
      at === 'CompleteMultipartUpload' ? echo(500, 'InternalError') : undefined,
    'an error under 200': (at) =>
      at === 'CreateMultipartUpload' ? echo(200, 'AccessDenied') : undefined,
    'a connection that is cut': (at) =>
      at === 'UploadPart' ? { kind: 'reset-body', afterBytes: 100 } : undefined,
    'an answer that is cut': (at) =>
      at === 'CreateMultipartUpload' ? { kind: 'reply-cut' } : undefined,
    'an answer that is no XML': (at) =>
      at === 'CreateMultipartUpload'
        ? { kind: 'replace-body', body: `<html>${id} ${token}</html>` }
        : undefined,
    'a redirect': (at) =>
      at === 'UploadPart'
        ? {
            kind: 'status',
            status: 302,
            headers: {
              location: `http://127.0.0.1:1/?token=${token}&id=${id}`,
            },
          }
        : undefined,
    'a silent server': (at) =>
      at === 'UploadPart' ? { kind: 'silence' } : undefined,
    'an upload ID that echoes': (at) =>
      at === 'ListParts' ? echo(404, 'NoSuchBucket') : undefined,
  }

for (const [name, fault] of Object.entries(failures)) {
  await t.test(`nothing is told by ${name}`, async (t) => {
    const dev = await smallUploads(t, { credentials })
    const store = smallStore(dev.another({ credentials }))
    const said = await everythingOf(
      t,
      dev.log,
      store,
      (options) => dev.upload(options),
      async (run) => {
        dev.server.setFault(({ operation }) => fault(operation))
        await run(1)
        await run(2)
      },
    )
    for (const one of secretsOf(dev.server.requests)) {
      t.notOk(said.includes(one), `not ${one.slice(0, 12)}…`)
    }
    t.notOk(said.includes('0123456789abcdef'), 'nor the signature echoed')
    t.notMatch(said, /x-oss-security-token|OSS4-HMAC|StringToSign/i)
  })
}

await t.test('nothing is told by a provider that fails', async (t) => {
  const dev = await smallUploads(t, { credentials })
  const store = smallStore(
    dev.another({
      credentials: async () => {
        throw Object.assign(new Error(`could not get ${secret} for ${id}`), {
          token,
          config: { headers: { authorization: secret } },
        })
      },
    }),
  )
  const said = await everythingOf(
    t,
    dev.log,
    store,
    (options) => dev.upload(options),
    (run) => run(1),
  )
  for (const one of [id, secret, token]) t.notOk(said.includes(one))
  t.match(said, /PAWL_CREDENTIALS/)
})

await t.test('nothing is told by NODE_DEBUG=pawl', async (t) => {
  const dev = await smallUploads(t, { credentials })
  const few = ['a refused signature', 'an answer that is no XML']
  const all = [
    ...few,
    'an expired token',
    'a denied Initiate',
    'a Complete that is refused',
    'an error under 200',
  ]
  const told = sized({ fast: few, more: all, long: all })
  for (const name of told) {
    dev.server.setFault(({ operation }) => failures[name]?.(operation))
    const { stderr, said } = await runWatchedChild(
      {
        endpoint: dev.server.endpoint,
        key,
        checkpoint: join(dev.directory, name.replaceAll(' ', '-')),
        partSize: part,
        size: 3 * part,
        credentials,
      },
      { NODE_DEBUG: 'pawl' },
    )
    t.match(said, [{ event: 'failure' }], name)
    t.match(stderr, /PAWL \d+: "backups\/db\.dump": ended, PAWL_/, name)
    for (const one of secretsOf(dev.server.requests)) {
      t.notOk(stderr.includes(one), `not ${one.slice(0, 12)}…`)
    }
    t.notMatch(stderr, /0123456789abcdef|x-oss-security-token|OSS4-HMAC|\?/i)
  }
})

/** Every text that two failing runs make: errors, events, the log, the summary. */
async function everythingOf(
  t: Test,
  log: string,
  store: ObjectStore,
  uploadOf: (options: Partial<UploadStreamOptions>) => ResumableUploadStream,
  work: (run: (number: number) => Promise<void>) => Promise<void>,
): Promise<string> {
  const said: string[] = []
  const watched = watchChannels(t)
  const say = (what: unknown): void => {
    said.push(
      inspect(what, {
        depth: Infinity,
        showHidden: true,
        maxStringLength: null,
      }),
      String(what),
    )
    if (what instanceof Error) said.push(what.stack ?? '', JSON.stringify(what))
  }
  await work(async () => {
    const upload = uploadOf({
      store,
      concurrency: 1,
      retry: { attempts: 2, baseDelay: 0 },
      timeout: { headers: 300, complete: 300 },
    })
    for (const event of [
      'initiated',
      'resumed',
      'restarted',
      'part',
      'retry',
      'progress',
      'error',
    ] as const) {
      upload.on(event, (...details: unknown[]) => say(details))
    }
    await send(upload, noise(3 * part)).catch(say)
    await upload.result.then(say, say)
    const bytes = await readFile(log, 'latin1').catch(() => '')
    said.push(bytes)
    if (bytes !== '') say(await readCheckpoint(log))
  })
  t.ok(watched.told.length > 4)
  for (const { seen } of watched.told) say(seen)
  t.ok(said.length > 4)
  return said.join('\n')
}

await t.test('line ends in options are refused or encoded', async (t) => {
  const dev = await smallUploads(t)
  const evil = 'x\r\nx-oss-object-acl: public-read'
  const bad: Partial<UploadStreamOptions>[] = [
    { object: { contentType: evil } },
    { object: { cacheControl: evil } },
    { object: { contentDisposition: evil } },
    { object: { metadata: { a: evil } } },
    { object: { metadata: { [evil]: 'a' } } },
    { object: { headers: { 'x-oss-a': evil } } },
    { object: { headers: { [evil]: 'a' } } },
    { object: { storageClass: evil } },
    { object: { acl: evil } },
    { object: { encryption: { algorithm: evil } } },
  ]
  for (const options of bad) {
    t.throws(() => dev.upload(options), { code: 'PAWL_INVALID_OPTION' })
  }
  t.same(dev.server.requests, [])
  for (const hard of [
    evil,
    'a\nb',
    'a\r\n\r\nGET / HTTP/1.1',
    'a b?c#d&e=f"<',
  ]) {
    await dev.run(noise(2 * part), { key: hard })
    t.ok(dev.server.objectPath('examplebucket', hard), JSON.stringify(hard))
  }
  t.notOk(
    dev.server.requests.some(({ headers }) => 'x-oss-object-acl' in headers),
  )
})

await t.test('a server cannot put lines into the log', async (t) => {
  const dev = await smallUploads(t)
  for (const uploadId of ['a\nb', 'a&#10;b', 'x'.repeat(1025), '']) {
    dev.server.setFault(({ operation }) =>
      operation === 'CreateMultipartUpload'
        ? {
            kind: 'status',
            status: 200,
            body: `<InitiateMultipartUploadResult><UploadId>${uploadId}</UploadId></InitiateMultipartUploadResult>`,
          }
        : undefined,
    )
    t.match(await dev.fail(noise(2 * part)), { code: 'PAWL_RESPONSE' })
  }
  // One that is text is only ever text: encoded on its way back.
  dev.server.setFault(({ operation }) =>
    operation === 'CreateMultipartUpload'
      ? {
          kind: 'status',
          status: 200,
          body: '<InitiateMultipartUploadResult><UploadId>a&amp;acl b/../?x=#</UploadId></InitiateMultipartUploadResult>',
        }
      : undefined,
  )
  await dev.fail(noise(2 * part))
  t.ok(
    dev.server.requests.some(({ uploadId }) => uploadId === 'a&acl b/../?x=#'),
  )
})

await t.test('a symlink in the place of the log is not followed', async (t) => {
  const dev = await smallUploads(t)
  const target = join(dev.directory, 'precious')
  await writeFile(target, 'precious')
  await symlink(target, dev.log)
  t.match(await dev.fail(noise(2 * part)), { code: 'PAWL_CHECKPOINT_UNSAFE' })
  t.equal(await readFile(target, 'utf8'), 'precious')
  t.same(dev.server.requests, [])
  // A name that leads nowhere is not made either.
  const nowhere = join(dev.directory, 'nowhere')
  await symlink(join(dev.directory, 'absent'), nowhere)
  t.match(await dev.fail(noise(2 * part), { checkpoint: nowhere }), {
    code: 'PAWL_CHECKPOINT_UNSAFE',
  })
  t.notOk((await readdir(dev.directory)).includes('absent'))
})

await t.test('a file that is no log is left as it is', async (t) => {
  const dev = await smallUploads(t)
  const dump = noise(5000)
  await writeFile(dev.log, dump, { mode: 0o600 })
  t.match(await dev.fail(noise(2 * part)), { code: 'PAWL_NOT_A_CHECKPOINT' })
  t.ok(dump.equals(await readFile(dev.log)))
})

await t.test('the log is for its owner alone', async (t) => {
  const dev = await smallUploads(t)
  const old = process.umask(0)
  t.teardown(() => process.umask(old))
  const upload = dev.upload()
  upload.once('part', () => upload.destroy())
  await send(upload, noise(4 * part)).catch(() => undefined)
  t.equal((await stat(dev.log)).mode & 0o777, 0o600)
})

await t.test('a certificate that nobody vouches for is refused', async (t) => {
  const tls = {
    key: await readFile(new URL('../fixtures/tls/key.pem', import.meta.url)),
    cert: await readFile(new URL('../fixtures/tls/cert.pem', import.meta.url)),
  }
  const server = await scriptedServer(t, { tls })
  const dev = await smallUploads(t)
  for (const real of [testOssStore(t, server), testS3Store(t, server)]) {
    const store = smallStore(real)
    const error = await dev.fail(noise(10), { store, key, checkpoint: false })
    t.match(error, { code: 'PAWL_NETWORK', attempts: 1 })
  }
  t.same(server.requests, [], 'not one byte was sent')
})
