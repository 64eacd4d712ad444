/** The way to the server: proxies, passwords, and authorities that are trusted. */
import t from 'tap'
import { besideEachOther } from '../support/beside.js'
import { cliDesk, type Desk } from '../support/cli-desk.js'
import { startProxy, type Proxy } from '../support/proxy.js'
import { authority, tlsFront } from '../support/tls-front.js'

const test = besideEachOther(t)

const key = {
  AWS_ACCESS_KEY_ID: 'dev',
  AWS_SECRET_ACCESS_KEY: 'dev-secret',
  AWS_REGION: 'us-east-1',
  HOME: '/none',
}
const put = 'pawl put --part-size 5M db.dump s3://examplebucket/k'

async function put1(
  d: Desk,
  endpoint: string,
  flags: string,
  env: Record<string, string>,
) {
  const line = `${put} --endpoint ${endpoint} ${flags}`
  return d.script(line, { ...key, ...env }).ended
}

test('plain HTTP goes through the proxy as it is, TLS through a tunnel', async (t) => {
  const d = await cliDesk(t)
  const plain = d.server.endpoint
  const tls = await tlsFront(t, d.server.port)
  const at = (proxy: Proxy, user = ''): string =>
    `http://${user}127.0.0.1:${proxy.port}`
  type Row = [
    name: string,
    endpoint: string,
    flags: (proxy: Proxy) => string,
    env: (proxy: Proxy) => Record<string, string>,
    asked: RegExp | undefined,
  ]
  const none = () => ({})
  const ca = `--ca ${authority}`
  const rows: Row[] = [
    [
      'HTTP_PROXY',
      plain,
      () => '',
      (p) => ({ HTTP_PROXY: at(p) }),
      /^PUT http:\/\/127/,
    ],
    [
      'http_proxy',
      plain,
      () => '',
      (p) => ({ http_proxy: at(p) }),
      /^PUT http:\/\/127/,
    ],
    [
      'HTTPS_PROXY',
      tls,
      () => ca,
      (p) => ({ HTTPS_PROXY: at(p) }),
      /^CONNECT 127/,
    ],
    [
      'AWS_CA_BUNDLE',
      tls,
      () => '',
      (p) => ({ HTTPS_PROXY: at(p), AWS_CA_BUNDLE: authority }),
      /^CONNECT 127/,
    ],
    [
      'HTTP_PROXY for TLS too',
      tls,
      () => ca,
      (p) => ({ HTTP_PROXY: at(p) }),
      /^CONNECT/,
    ],
    [
      'HTTPS_PROXY for TLS alone',
      plain,
      () => '',
      (p) => ({ HTTPS_PROXY: at(p) }),
      undefined,
    ],
    ['--proxy', plain, (p) => `--proxy ${at(p)}`, none, /^PUT http/],
    [
      '--proxy without a scheme',
      tls,
      (p) => `${ca} --proxy 127.0.0.1:${p.port}`,
      none,
      /^CONNECT/,
    ],
    [
      '--proxy goes before NO_PROXY',
      plain,
      (p) => `--proxy ${at(p)}`,
      () => ({ NO_PROXY: '*' }),
      /^PUT http/,
    ],
    [
      'NO_PROXY',
      plain,
      () => '',
      (p) => ({ HTTP_PROXY: at(p), NO_PROXY: 'example.com,127.0.0.1' }),
      undefined,
    ],
    [
      'no_proxy',
      tls,
      () => ca,
      (p) => ({ HTTPS_PROXY: at(p), no_proxy: '*' }),
      undefined,
    ],
    ['no proxy, and an authority', tls, () => ca, none, undefined],
  ]
  for (const [name, endpoint, flags, env, asked] of rows) {
    const proxy = await startProxy(t)
    const end = await put1(d, endpoint, flags(proxy), env(proxy))
    t.match(end, { code: 0 }, `${name}: ${end.log}`)
    if (asked === undefined) t.same(proxy.asked, [], name)
    else t.match(proxy.asked[0], asked, name)
    t.ok(d.bytes.equals(await d.object('k')), name)
  }
})

test('a password goes to the proxy, and into no text', async (t) => {
  const d = await cliDesk(t)
  const tls = await tlsFront(t, d.server.port)
  const secret = 'pass-w0rd%21'
  for (const endpoint of [d.server.endpoint, tls]) {
    const proxy = await startProxy(t, { password: 'ann:pass-w0rd!' })
    const url = `http://ann:${secret}@127.0.0.1:${proxy.port}`
    const env = { HTTPS_PROXY: url, HTTP_PROXY: url }
    const ca = `--ca ${authority}`
    const right = await put1(d, endpoint, ca, env)
    t.match(right, { code: 0 }, right.log)
    const other = await startProxy(t, { password: 'ann:another' })
    const wrong = url.replace(String(proxy.port), String(other.port))
    for (const flags of ['--debug', '--json --debug']) {
      const end = await put1(d, endpoint, `${ca} --attempts 1 ${flags}`, {
        HTTPS_PROXY: wrong,
        HTTP_PROXY: wrong,
      })
      t.not(end.code, 0)
      t.notMatch(end.out + end.log, /w0rd/)
      t.notMatch(
        end.out + end.log,
        Buffer.from(`ann:pass-w0rd!`).toString('base64'),
      )
    }
    const told = await put1(d, endpoint, `${ca} --attempts 1`, {
      HTTPS_PROXY: wrong,
      HTTP_PROXY: wrong,
    })
    t.match(told.log, /The proxy wants a name and a password/, endpoint)
  }
})

test('what cannot be a proxy or an authority is refused, without its password', async (t) => {
  const d = await cliDesk(t)
  const rows: [flags: string, env: Record<string, string>, log: RegExp][] = [
    ['--proxy socks5://ann:w0rd@127.0.0.1:1', {}, /--proxy: socks5 proxies/],
    [
      '',
      { HTTPS_PROXY: 'http://ann:w0rd@:x' },
      /HTTPS_PROXY: expected the URL/,
    ],
    ['--ca missing.pem', {}, /authorities missing\.pem cannot be read: ENOENT/],
    ['--ca db.dump', {}, /db\.dump holds no certificate in PEM form/],
    ['', { AWS_CA_BUNDLE: 'missing.pem' }, /missing\.pem cannot be read/],
  ]
  for (const [flags, env, log] of rows) {
    const end = await put1(d, d.server.endpoint, flags, env)
    t.match(end, { code: 2, out: '', log })
    t.notMatch(end.log, /w0rd/)
  }
})

test('what is wrong with a connection is said, and what to do', async (t) => {
  const d = await cliDesk(t)
  const tls = await tlsFront(t, d.server.port)
  const rows: [endpoint: string, log: RegExp][] = [
    [
      tls,
      /certificate is not signed by an authority that is trusted here.*--ca FILE/,
    ],
    [
      tls.replace('https:', 'http:'),
      /PAWL_NETWORK: .*\nThe connection was cut: .* where TLS is spoken it begins with https:/,
    ],
    [d.server.endpoint.replace('http:', 'https:'), /No TLS is spoken there/],
    ['http://127.0.0.1:1', /Nothing listens there: check the port/],
    ['http://nowhere.invalid', /no host of that name|cannot be looked up/],
  ]
  for (const [endpoint, log] of rows) {
    const end = await put1(d, endpoint, '--attempts 1', {})
    t.match(end.log, log, endpoint)
    t.not(end.code, 0)
  }
})

test('the dev server of this machine is not looked for through a proxy', async (t) => {
  const d = await cliDesk(t)
  const proxy = await startProxy(t)
  const end = await d.script('pawl put db.dump $URL/k', {
    HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
  }).ended
  t.match(end, { code: 0 })
  t.same(proxy.asked, [])
})
