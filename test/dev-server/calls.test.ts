import { readFileSync } from 'node:fs'
import t from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import { calls, type Call } from '../../lib/dev-server/wire/calls.js'
import { dialects, type Dialect } from '../../lib/dev-server/wire/dialect.js'
import { operationOf } from '../../lib/dev-server/wire/operation.js'
import { Query } from '../../lib/dev-server/wire/query.js'
import { call as ossCall } from './raw-client.js'
import { s3Call } from './raw-s3.js'

const targets = {
  service: { bucket: undefined, key: undefined },
  bucket: { bucket: 'b', key: undefined },
  object: { bucket: 'b', key: 'k' },
}

function ask(call: Call, dialect: Dialect, names: readonly string[]) {
  const head = {
    path: '/',
    ...targets[call.on],
    method: call.method,
    query: new Query(names.map((name) => [name, ''])),
    headers: call.copies ? { [`${dialect.prefix}copy-source`]: '/b/k' } : {},
  }
  return operationOf(head, dialect)
}

/** Sub-resources of the real services, none of which any call here has. */
const foreign = [
  'accelerate',
  'acl',
  'analytics',
  'append',
  'cors',
  'encryption',
  'img',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'lifecycle',
  'logging',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'renameObject',
  'replication',
  'requestPayment',
  'response-access-control-allow-origin',
  'restore',
  'retention',
  'select',
  'symlink',
  'torrent',
  'versions',
  'website',
  'worm',
  'x-oss-process',
  'a name that nobody has',
]

await t.test('each call is found, with all that it may say', async (t) => {
  for (const call of calls) {
    const names = call.dialect === undefined ? ['oss', 's3'] : [call.dialect]
    for (const name of names) {
      const dialect = dialects[name === 'oss' ? 'oss' : 's3']
      const { operation, needs = [], allows = [] } = call
      t.same(ask(call, dialect, needs), { operation }, `${name} ${operation}`)
      const all = ask(call, dialect, [...needs, ...allows])
      t.equal(all.operation, operation, `${name} ${operation}, whole`)
    }
  }
})

await t.test('the document has every call, in its dialects', async (t) => {
  const path = new URL('../../docs/dev-server.md', import.meta.url)
  const rows = readFileSync(path, 'utf8').matchAll(
    /^\| (`.*?) +\| (yes|-) +\| (yes|-) +\|$/gm,
  )
  const listed = [...rows].flatMap(([, names = '', oss, s3]) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name]) => `${name} ${oss} ${s3}`),
  )
  const has = (operation: string, dialect: string) =>
    calls.some(
      (call) =>
        call.operation === operation && (call.dialect ?? dialect) === dialect,
    )
      ? 'yes'
      : '-'
  const known = new Set(calls.map(({ operation }) => operation))
  t.same(
    listed.toSorted(),
    [...known]
      .map((name) => `${name} ${has(name, 'oss')} ${has(name, 's3')}`)
      .toSorted(),
  )
})

await t.test('one name more makes it no call', async (t) => {
  for (const call of calls) {
    for (const dialect of [dialects.oss, dialects.s3]) {
      if ((call.dialect ?? dialect.name) !== dialect.name) continue
      for (const name of foreign) {
        const asked = ask(call, dialect, [...(call.needs ?? []), name])
        t.same(asked, { operation: 'Unknown', unknownName: name })
      }
    }
  }
})

await t.test('names of another call make it no call either', async (t) => {
  const object = { on: 'object' as const, operation: 'PutObject' as const }
  const rows: [method: string, names: string[]][] = [
    ['PUT', ['uploadId']],
    ['PUT', ['partNumber']],
    ['PUT', ['uploads']],
    ['PUT', ['delete']],
    ['PUT', ['attributes']],
    ['POST', []],
    ['POST', ['delete']],
    ['POST', ['uploads', 'uploadId']],
    ['DELETE', ['uploads']],
    ['DELETE', ['tagging', 'uploadId']],
    ['HEAD', ['uploadId']],
    ['GET', ['delete']],
    ['PATCH', []],
    ['OPTIONS', []],
  ]
  for (const [method, names] of rows) {
    for (const dialect of [dialects.oss, dialects.s3]) {
      const { operation } = ask({ ...object, method }, dialect, names)
      t.equal(operation, 'Unknown', `${method} ${names.join('&')}`)
    }
  }
})

await t.test('what is not understood changes nothing', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const body = '<Retention><Mode>GOVERNANCE</Mode></Retention>'
  const put = { method: 'PUT', key: 'k', body: 'precious' }
  await ossCall(server, put)
  const rows: [method: string, key: string | undefined, name: string][] = [
    ['PUT', 'k', 'retention'],
    ['PUT', 'k', 'legal-hold'],
    ['PUT', 'k', 'acl'],
    ['PUT', 'k', 'renameObject'],
    ['POST', 'k', 'restore'],
    ['POST', 'k', 'select'],
    ['DELETE', 'k', 'torrent'],
    ['GET', 'k', 'torrent'],
    ['PUT', undefined, 'encryption'],
    ['PUT', undefined, 'publicAccessBlock'],
    ['GET', undefined, 'versions'],
    ['DELETE', undefined, 'policy'],
  ]
  for (const [method, key, name] of rows) {
    const request = {
      method,
      query: { [name]: '' },
      ...(key === undefined ? {} : { key }),
      ...(method === 'PUT' || method === 'POST' ? { body } : {}),
    }
    for (const answer of [
      await ossCall(server, request),
      await s3Call(server, request),
    ]) {
      t.match(answer, { status: 501, code: 'NotImplemented' }, name)
      t.match(answer.text, `${name}&#34; is not implemented`)
      t.match(server.requests.at(-1), { operation: 'Unknown', applied: false })
    }
  }
  t.equal((await ossCall(server, { method: 'GET', key: 'k' })).text, 'precious')
})

await t.test('versions other than the only one are refused', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  await ossCall(server, { method: 'PUT', key: 'k', body: 'precious' })
  const rows: [versionId: string, status: number][] = [
    ['null', 200],
    ['CAEQ1', 501],
    ['', 501],
  ]
  for (const [versionId, status] of rows) {
    const get = { method: 'GET', key: 'k', query: { versionId } }
    t.equal((await ossCall(server, get)).status, status, versionId)
    t.equal((await s3Call(server, get)).status, status, versionId)
  }
  const drop = { method: 'DELETE', key: 'k', query: { versionId: 'CAEQ1' } }
  t.match(await ossCall(server, drop), { status: 501 })
  t.match(await s3Call(server, drop), { status: 501 })
  t.equal((await ossCall(server, { method: 'GET', key: 'k' })).text, 'precious')
})

await t.test('a wrong signature is said before a wrong question', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const request = { method: 'PUT', key: 'k', query: { retention: '' } }
  t.match(await s3Call(server, { ...request, secret: 'wrong' }), {
    status: 403,
    code: 'SignatureDoesNotMatch',
  })
})
