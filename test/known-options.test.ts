import http from 'node:http'
import t from 'tap'
import { startDevServer } from '../lib/dev-server/index.js'
import { defaultCredentials, ossStore, s3Store } from '../lib/index.js'
import { checkKnownOptions, nearestName } from '../lib/known-options.js'

const code = 'PAWL_INVALID_OPTION'
const names = ['concurrency', 'partSize', 'onSourceChange', 'signal', 'verify']

await t.test(
  'a name that is not known is refused, with the nearest',
  async (t) => {
    const check = (given: unknown) => () =>
      checkKnownOptions(given, {
        of: 'uploadFile',
        names,
        elsewhere: { queueSize: 'concurrency' },
      })
    t.doesNotThrow(check({ concurrency: 4, verify: false }))
    t.doesNotThrow(check({ concurency: undefined }), 'as if it were not there')
    t.throws(check({ concurency: 8 }), {
      code,
      message:
        'uploadFile: there is no option concurency; did you mean concurrency?',
    })
    t.throws(check({ queueSize: 8 }), {
      code,
      message: /say it by concurrency\.$/,
    })
    t.throws(check({ speed: 8 }), {
      code,
      message:
        /there are concurrency, onSourceChange, partSize, signal, verify\.$/,
    })
    t.throws(check({ 'a\u001b[31m': 1 }), {
      code,
      message: /no option "a\\u001b/,
    })
    t.throws(check({ constructor: 1 }), { code })
    for (const nothing of [undefined, null, 'text', 7]) {
      t.throws(check(nothing), { code, message: /expected an object/ })
    }
  },
)

await t.test('what is near', async (t) => {
  const cases: Record<string, string | undefined> = {
    concurency: 'concurrency',
    concurrenyc: 'concurrency',
    'part-size': 'partSize',
    part_size: 'partSize',
    partsize: 'partSize',
    partsSize: 'partSize',
    onSourceChanged: 'onSourceChange',
    singal: 'signal',
    verfiy: 'verify',
    forcePathStyle: undefined,
    x: undefined,
    '': undefined,
  }
  for (const [given, expected] of Object.entries(cases)) {
    t.equal(nearestName(given, names), expected, given)
  }
  t.equal(nearestName('x'.repeat(1e6), names), undefined)
})

const oss = {
  bucket: 'examplebucket',
  region: 'cn-hangzhou',
  credentials: { accessKeyId: 'i', accessKeySecret: 's' },
}
const s3 = {
  bucket: 'examplebucket',
  region: 'us-east-1',
  credentials: { accessKeyId: 'i', secretAccessKey: 's' },
}

await t.test('options of stores that are none', async (t) => {
  const cases: [given: object, message: RegExp][] = [
    [
      { forcePathStyle: true },
      /no option forcePathStyle; .*addressing: 'path'/,
    ],
    [{ accessKeyId: 'x' }, /no option accessKeyId; .*credentials: \{/],
    [{ adressing: 'path' }, /did you mean addressing\?/],
    [{ endPoint: 'x' }, /did you mean endpoint\?/],
    [{ dispatcher: {} }, /^dispatcher: /],
    [{ dispatcher: 'http://proxy' }, /^dispatcher: /],
    [{ dispatcher: null }, /^dispatcher: /],
    [{ dispatcher: new http.Agent() }, /^dispatcher: .*node:http/],
  ]
  for (const [given, message] of cases) {
    t.throws(() => ossStore({ ...oss, ...given }), { code, message })
    t.throws(() => s3Store({ ...s3, ...given }), { code, message })
  }
  t.throws(() => ossStore(undefined as never), { code })
  t.throws(() => s3Store(null as never), { code })
})

await t.test('of the dev server and of credentials', async (t) => {
  await t.rejects(startDevServer({ bucket: 'x' } as object), {
    code,
    message: /did you mean buckets\?/,
  })
  t.throws(() => defaultCredentials('oss', { profil: 'x' } as object), {
    code,
    message: /did you mean profile\?/,
  })
})
