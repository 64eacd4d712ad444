/** Servers that echo what they were sent, and servers that explain themselves. */
import { tracingChannel } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import t from 'tap'
import type { Test } from 'tap'
import type { ObjectStore } from '../../lib/store/object-store.js'
import { Secrets } from '../../lib/store/secrets.js'
import { requestTracer } from '../../lib/store/request-trace.js'
import { rejection } from '../support/attempts.js'
import {
  answer,
  scriptedServer,
  type Exchange,
  type Step,
} from '../support/scripted-server.js'
import { bodyFrom, storeCall } from '../support/store-call.js'
import { testOssStore, testS3Store } from '../support/stores.js'

const secret = 'S3cretS3cretS3cretS3cretS3cret'
const token = `CAIS${'Token+/0123456789=='.repeat(30)}`
const bytes = Buffer.from('123456789')
const etag = '"25F9E794323B453885F5181F1B624D0B"'

type Echo = (exchange: Exchange) => string
const signatureOf: Echo = ({ request }) =>
  /Signature=([0-9a-f]+)/.exec(request.headers.authorization ?? '')?.[1] ?? ''
const echoes: Record<string, Echo> = {
  'a signature': signatureOf,
  'a part of a signature': (exchange) => signatureOf(exchange).slice(5, 40),
  'a signature in upper case': (exchange) =>
    signatureOf(exchange).toUpperCase(),
  'a token': () => token.slice(0, 100),
  'the middle of a token': () => token.slice(50, 90),
  'an encoded token': () => encodeURIComponent(token).slice(0, 90),
}

const dialects = [
  [
    'oss',
    'x-oss-request-id',
    (t: Test, origin: Parameters<typeof testOssStore>[1]) =>
      testOssStore(t, origin, {
        credentials: {
          accessKeyId: 'LTAI5tFakeFakeFake',
          accessKeySecret: secret,
          securityToken: token,
        },
      }),
  ],
  [
    's3',
    'x-amz-request-id',
    (t: Test, origin: Parameters<typeof testS3Store>[1]) =>
      testS3Store(t, origin, {
        credentials: {
          accessKeyId: 'AKIAFAKEFAKEFAKE1234',
          secretAccessKey: secret,
          sessionToken: token,
        },
      }),
  ],
] as const

for (const [dialect, idHeader, storeAt] of dialects) {
  for (const [what, echo] of Object.entries(echoes)) {
    await t.test(
      `${dialect}: ${what} that comes back is not kept`,
      async (t) => {
        const echoed: string[] = []
        const step =
          (make: (echo: string) => Step): Step =>
          async (exchange) => {
            const said = echo(exchange)
            echoed.push(said)
            await make(said)(exchange)
          }
        const refusal = step((said) =>
          answer(
            400,
            { [idHeader]: said, 'x-oss-ec': said, 'x-amz-id-2': said },
            `<Error><Code>${said}</Code><Message>You sent ${said}, friend</Message>` +
              `<RequestId>${said}</RequestId><HostId>${said}</HostId><EC>${said}</EC>` +
              `<ArgumentName>${said}</ArgumentName><Region>${said}</Region></Error>`,
          ),
        )
        const server = await scriptedServer(t, {
          steps: [
            refusal,
            step((said) =>
              answer(
                200,
                {},
                `<InitiateMultipartUploadResult><UploadId>${said}</UploadId></InitiateMultipartUploadResult>`,
              ),
            ),
            step((said) => answer(200, { etag: said, [idHeader]: said })),
            step((said) =>
              answer(200, {
                etag,
                'x-oss-version-id': said,
                'x-amz-version-id': said,
              }),
            ),
            step((said) =>
              answer(
                400,
                {
                  'x-oss-err': Buffer.from(
                    `<Error><Code>A</Code><Message>${said}</Message></Error>`,
                  ).toString('base64'),
                },
                '',
              ),
            ),
          ],
        })
        const told: unknown[] = []
        const traces = {
          start: (message: unknown) =>
            told.push(inspect(message, { depth: 9 })),
          end: (message: unknown) => told.push(inspect(message, { depth: 9 })),
          asyncStart: (message: unknown) =>
            told.push(inspect(message, { depth: 9 })),
          asyncEnd: (message: unknown) =>
            told.push(inspect(message, { depth: 9 })),
          error: (message: unknown) =>
            told.push(inspect(message, { depth: 9 })),
        }
        const channel = tracingChannel('pawl:request')
        channel.subscribe(traces)
        t.teardown(() => channel.unsubscribe(traces))
        t.ok(requestTracer.isOn)
        const store: ObjectStore = storeAt(t, server)
        const put = { key: 'k', size: 9, body: bodyFrom(bytes), object: {} }
        const refused = await rejection(store.putObject(put, storeCall()))
        t.equal(refused.status, 400)
        t.equal(refused.serverCode, undefined)
        t.equal(refused.requestId, undefined)
        t.equal(refused.hostId, undefined)
        t.match(refused.serverMessage ?? '', /^You sent .*…, friend$/)
        const created = await rejection(
          store.createUpload({ key: 'k', object: {} }, storeCall()),
        )
        t.equal(created.kind, 'response')
        const part = { ...put, uploadId: 'U', partNumber: 1 }
        const sent = await rejection(store.uploadPart(part, storeCall()))
        t.equal(sent.kind, 'response')
        const receipt = await store.putObject(put, storeCall())
        t.equal(receipt.versionId, undefined)
        const head = await rejection(store.headObject('k', storeCall()))
        t.equal(head.status, 400)
        const all = inspect([refused, created, sent, head, receipt, told], {
          depth: 20,
          showHidden: true,
        }).toLowerCase()
        for (const said of echoed) {
          t.ok(said.length >= 20)
          t.notOk(all.includes(said.toLowerCase()), said)
        }
      },
    )
  }
}

await t.test('what is cut, and what is not', async (t) => {
  const secrets = new Secrets(
    { id: 'LTAI5tFakeFakeFake', secret, token },
    { authorization: `OSS LTAI5tFakeFakeFake:${'si+g/'.repeat(5)}=` },
  )
  const cut = '\u007f'
  t.equal(secrets.cut(`a ${secret} b`), `a ${cut} b`)
  t.equal(secrets.cut(secret.slice(0, 16)), cut)
  t.equal(secrets.cut(secret.slice(0, 15)), secret.slice(0, 15))
  t.equal(secrets.cut(`${secret}|${secret}`), `${cut}|${cut}`)
  t.equal(secrets.cut('si+g/si+g/si+g/si+g/'), cut)
  t.equal(
    secrets.cut('nothing of it, however long it is'),
    'nothing of it, however long it is',
  )
  const clean = secrets.cleaned({
    status: 200,
    headers: { etag },
    body: Buffer.from('日本 LTAI5tFakeFakeFake'),
    complete: true,
  })
  t.equal(clean.body.toString(), '日本 LTAI5tFakeFakeFake', 'of a success')
  const large = Buffer.from(`<a>${'x'.repeat(100_000)}${token}</a>`)
  const page = { status: 200, headers: {}, body: large, complete: true }
  t.notOk(secrets.cleaned(page).body.includes(token))
})

await t.test("the server's own words", async (t) => {
  const words: [inner: string, expected: object, text: RegExp][] = [
    [
      '<Code>InvalidArgument</Code><Message>The storage class is not known.</Message>' +
        '<ArgumentName>x-oss-storage-class</ArgumentName><ArgumentValue>X</ArgumentValue>' +
        '<RecommendDoc>https://api.alibabacloud.com/troubleshoot?q=0016-00000803</RecommendDoc>',
      {
        serverMessage: 'The storage class is not known.',
        argument: 'x-oss-storage-class',
        recommendDoc:
          'https://api.alibabacloud.com/troubleshoot?q=0016-00000803',
      },
      /: 400 InvalidArgument \(x-oss-storage-class\)\. The storage class is not known\.$/,
    ],
    [
      '<Code>NotImplemented</Code><Message>A header you provided implies functionality that is not implemented</Message><Header>If-None-Match</Header>',
      { argument: 'If-None-Match' },
      /not implemented\.$/,
    ],
    [
      '<Code>PreconditionFailed</Code><Condition>If-None-Match</Condition>',
      { argument: 'If-None-Match', serverMessage: undefined },
      /PreconditionFailed \(If-None-Match\)\.$/,
    ],
    [
      '<Code>A</Code><Message>one\u0085two\n\u202ethree \u2028 four\u009b31m</Message>',
      { serverMessage: 'one two three four 31m' },
      /one two three four 31m\.$/,
    ],
    [
      `<Code>A</Code><Message>${'é'.repeat(300)}</Message>`,
      { serverMessage: 'é'.repeat(256) },
      /é\.$/,
    ],
    [
      '<Code>AccessDenied</Code><Message>You, LTAI5tFakeFakeFake, may not</Message>',
      { serverMessage: 'You, …, may not' },
      /may not\.$/,
    ],
    [
      '<Code>A</Code><RecommendDoc>javascript:alert(1)</RecommendDoc>',
      { recommendDoc: undefined, serverMessage: undefined },
      /400 A\.$/,
    ],
    ...[
      'SignatureDoesNotMatch',
      'InvalidAccessKeyId',
      'SecurityTokenExpired',
      'ExpiredToken',
      'AuthorizationHeaderMalformed',
      'InvalidSecurity',
    ].map((code): [string, object, RegExp] => [
      `<Code>${code}</Code><Message>HUSH</Message>`,
      { serverCode: code, serverMessage: undefined },
      /^(?!.*HUSH)/,
    ]),
  ]
  for (const [inner, expected, text] of words) {
    const server = await scriptedServer(t, {
      steps: [answer(400, {}, `<Error>${inner}</Error>`)],
    })
    const [[, , storeAt]] = dialects
    const store = storeAt(t, server)
    const error = await rejection(
      store.createUpload({ key: 'k', object: {} }, storeCall()),
    )
    t.match(error, expected)
    t.match(error.message.replace(/^.*?127/, '127'), text)
  }
})
