import t from 'tap'
import { startDevServer, type DevServer } from '../../lib/dev-server/index.js'
import { call, create, element, elements, putPart } from './raw-client.js'

/** Follows the markers of a listing and gives what each page had. */
async function pages(
  server: DevServer,
  query: Record<string, string | number>,
  names: { item: string; next: [element: string, parameter: string][] },
): Promise<string[][]> {
  const found: string[][] = []
  let markers = {}
  for (let more = true; more && found.length < 100;) {
    const { text } = await call(server, {
      method: 'GET',
      query: { ...query, ...markers },
    })
    // The first is that of the request.
    const prefixes = elements(text, 'Prefix').slice(1)
    found.push([...elements(text, names.item), ...prefixes])
    more = element(text, 'IsTruncated') === 'true'
    markers = Object.fromEntries(
      names.next.map(([from, to]) => [to, element(text, from) ?? '']),
    )
  }
  return found
}

const keys = ['a', 'b/1', 'b/2', 'c/d/1', 'c/d/2', 'z', 'ﬀ', '😀']

await t.test('uploads come by key and ID, in pages', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const ids: string[] = []
  for (const key of [...keys.toReversed(), 'b/1', 'b/1']) {
    ids.push(await create(server, key))
  }
  const names = {
    item: 'Key',
    next: [
      ['NextKeyMarker', 'key-marker'],
      ['NextUploadIdMarker', 'upload-id-marker'],
    ] as [string, string][],
  }
  const sorted = ['a', 'b/1', 'b/1', 'b/1', ...keys.slice(2)]
  for (const max of [1, 2, 3, 1000]) {
    const query = { uploads: '', 'max-uploads': max }
    const found = await pages(server, query, names)
    t.strictSame(found.flat(), sorted)
    t.equal(found.length, Math.ceil(sorted.length / max))
    const byId = await pages(server, query, { ...names, item: 'UploadId' })
    t.strictSame(byId.flat().toSorted(), ids.toSorted())
  }
  const delimited = { uploads: '', delimiter: '/', 'max-uploads': 1 }
  t.strictSame((await pages(server, delimited, names)).flat(), [
    'a',
    'b/',
    'c/',
    'z',
    'ﬀ',
    '😀',
  ])
  const prefixed = { uploads: '', prefix: 'b/' }
  t.strictSame((await pages(server, prefixed, names)).flat(), [
    'b/1',
    'b/1',
    'b/1',
    'b/2',
  ])
  // Without a key marker an ID marker means nothing.
  const ignored = { uploads: '', 'upload-id-marker': 'ZZZ' }
  t.equal((await pages(server, ignored, names)).flat().length, sorted.length)
})

await t.test('objects come by key, in both versions', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  for (const key of keys) await call(server, { method: 'PUT', key })
  const names = {
    item: 'Key',
    next: [['NextMarker', 'marker']] as [string, string][],
  }
  for (const max of [1, 3, 1000]) {
    const query = { 'max-keys': max }
    t.strictSame((await pages(server, query, names)).flat(), keys)
    t.strictSame(
      (await pages(server, { ...query, delimiter: '/' }, names))
        .flat()
        .toSorted(),
      ['a', 'b/', 'c/', 'z', 'ﬀ', '😀'].toSorted(),
    )
  }
  const { text } = await call(server, {
    method: 'GET',
    query: { 'list-type': 2, 'start-after': 'b/2', prefix: 'c' },
  })
  t.strictSame(elements(text, 'Key'), ['c/d/1', 'c/d/2'])
  t.equal(element(text, 'KeyCount'), '2')
})

await t.test('with encoding-type=url keys are percent-encoded', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const key = 'dir one/a+b%&<\u0001>'
  const encoded = 'dir%20one%2Fa%2Bb%25%26%3C%01%3E'
  const query = { uploads: '', 'encoding-type': 'url' }
  const created = await call(server, { method: 'POST', key, query })
  t.equal(element(created.text, 'EncodingType'), 'url')
  t.equal(element(created.text, 'Key'), encoded)
  const listed = await call(server, { method: 'GET', query })
  t.equal(element(listed.text, 'Key'), encoded)
  const plain = await call(server, { method: 'GET', query: { uploads: '' } })
  t.equal(element(plain.text, 'EncodingType'), undefined)
  t.equal(element(plain.text, 'Key'), 'dir one/a+b%&#38;&#60;&#1;&#62;')
})

await t.test('ListParts: max-parts, markers, nothing left', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const uploadId = await create(server, 'k')
  for (const partNumber of [2, 1, 5]) {
    await putPart(server, 'k', uploadId, partNumber, 'part')
  }
  const list = async (query: Record<string, string | number>) => {
    const { text } = await call(server, {
      method: 'GET',
      key: 'k',
      query: { uploadId, ...query },
    })
    return {
      numbers: elements(text, 'PartNumber').join(','),
      truncated: element(text, 'IsTruncated'),
      next: element(text, 'NextPartNumberMarker'),
      code: element(text, 'Code'),
    }
  }
  t.match(await list({}), { numbers: '1,2,5', truncated: 'false', next: '5' })
  t.match(await list({ 'max-parts': 2 }), {
    numbers: '1,2',
    truncated: 'true',
    next: '2',
  })
  t.match(await list({ 'max-parts': 3 }), { truncated: 'false' })
  t.match(await list({ 'part-number-marker': 2 }), { numbers: '5' })
  t.match(await list({ 'part-number-marker': 5 }), {
    numbers: '',
    truncated: 'false',
    next: '5',
  })
  t.match(await list({ 'max-parts': 'x' }), { code: 'InvalidArgument' })
  t.match(await list({ 'max-parts': 1001 }), { code: 'InvalidArgument' })
  t.match(await list({ 'part-number-marker': '-1' }), {
    code: 'InvalidArgument',
  })
})
