import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import {
  inventoryFiles,
  type InventoryFilesOptions,
} from '../../lib/fleet/inventory-files.js'
import { planFleet, type PlannedFile } from '../../lib/fleet/plan-fleet.js'
import { fleetBench } from '../support/fleet-bench.js'
import { failureIn } from '../support/shared-upload.js'

/** As a stream gives it: in chunks that end anywhere. */
async function* chunks(text: string | Uint8Array, size = 7) {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size)
  }
}

async function all(
  text: string | Uint8Array,
  options: InventoryFilesOptions = {},
): Promise<PlannedFile[]> {
  const files: PlannedFile[] = []
  for await (const file of inventoryFiles(chunks(text), options)) {
    files.push(file)
  }
  return files
}

const inventory = 'Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag'

await t.test('lists of paths are read, however they are written', async (t) => {
  const two = [
    { path: 'a/b', size: 5 },
    { path: 'c "d", e', size: 0 },
  ]
  const rows: [name: string, text: string][] = [
    ['plain', 'path,size\na/b,5\n"c ""d"", e",0\n'],
    ['CRLF', 'path,size\r\na/b,5\r\n"c ""d"", e",0\r\n'],
    ['a BOM, and no end of line', '\uFEFFpath,size\na/b,5\n"c ""d"", e",0'],
    ['empty lines', '\npath,size\n\na/b,5\n\n"c ""d"", e",0\n\n'],
    [
      'other columns, in capitals',
      'ETag,SIZE,Path\nx,5,a/b\ny,0,"c ""d"", e"\n',
    ],
  ]
  for (const [name, text] of rows) {
    t.same(await all(text), two, name)
    t.same(await all(gzipSync(text)), two, `${name}, packed`)
  }
  const halves = ['path,size\na/b,5\n', '"c ""d"", e",0\n']
  t.same(await all(Buffer.concat(halves.map((half) => gzipSync(half)))), two)
  t.same(await all('path,size\n'), [])
  t.same(await all('a+b%20c,1\n', { columns: 'path,size' }), [
    { path: 'a+b%20c', size: 1 },
  ])
  t.same(await all('path,key,size,mtime\na,k,1,1700000000.1234567890\nb,,2,'), [
    { path: 'a', key: 'k', size: 1, mtime: '1700000000123456789' },
    { path: 'b', size: 2 },
  ])
})

await t.test('an inventory is of the objects that are there', async (t) => {
  const text = [
    '"bucket","2026/a%2Bb+c/%E4%B8%AD.bin","v1","true","false","7","e"',
    '"bucket","2026/old","v0","false","false","7","e"',
    '"bucket","2026/gone","v2","true","true","",""',
    '"bucket","2026/","v3","true","false","0","e"',
  ].join('\n')
  const skipped: string[] = []
  const files = await all(text, {
    columns: inventory,
    onSkipped: (path, why) => skipped.push(`${path}: ${why}`),
  })
  t.same(files, [{ path: '2026/a+b c/中.bin', size: 7 }])
  t.same(skipped, [
    '2026/old: it is an earlier version',
    '2026/gone: it was deleted',
    '2026/: it is a directory',
  ])
})

await t.test('what is no list of files ends it', async (t) => {
  const list = (row: string) => `path,size\nfirst,1\n${row}\n`
  const key = (name: string) => `Key,Size\n${name},1\n`
  const rows: [name: string, text: string, says: RegExp][] = [
    ['nothing', '', /list is empty/],
    ['only a BOM', '\uFEFF', /list is empty/],
    ['no size', 'path\na\n', /needs the columns/],
    ['no path', 'size\n1\n', /needs the columns/],
    ['no names', '"bucket","a","1"\n', /fileSchema/],
    ['a column twice', 'path,size,Path\na,1,b\n', /two columns/],
    ['a field less', list('a'), /line 3 .* 1 fields/],
    ['a field more', list('a,1,2'), /line 3 .* 3 fields/],
    ['out of the root', list('../a,1'), /no file below a root/],
    ['out of the root, inside', list('a/../../b,1'), /no file below/],
    ['out of the root, encoded', key('%2e%2e/a'), /no file below/],
    ['out of the root, by plus', key('..%2Fa'), /no file below/],
    ['an absolute path', list('/etc/passwd,1'), /no file below/],
    ['an absolute key', key('/a'), /no file below/],
    ['an empty name', list('a//b,1'), /no file below/],
    ['a dot', list('./a,1'), /no file below/],
    ['no path at all', list(',1'), /no file below/],
    ['a NUL', list('a\0b,1'), /no file below/],
    ['a NUL, encoded', key('a%00b'), /no file below/],
    ['what is not UTF-8', key('%ff'), /not URL-encoded/],
    ['half an escape', key('a%2'), /not URL-encoded/],
    ['no size in a row', list('a,'), /no size/],
    ['a size below zero', list('a,-1'), /no size/],
    ['a size with an exponent', list('a,1e9'), /no size/],
    ['a size that no number holds', list('a,99999999999999999'), /no size/],
    ['a time of words', 'path,size,mtime\na,1,now\n', /no time/],
    ['a time that is cut', 'path,size,mtime\na,1,1700000000\n', /no time/],
    ['a quote in a field', list('a"b,1'), /no CSV/],
    ['a quote that is not closed', list('"a,1'), /no CSV/],
    ['a huge field', list(`"${'x'.repeat(200_000)}",1`), /no CSV/],
    ['a line without end', `path,size\n${'x'.repeat(200_000)}`, /no CSV/],
  ]
  for (const [name, text, says] of rows) {
    const error = await failureIn(all(text))
    t.equal(error.code, 'PAWL_INVALID_OPTION', name)
    t.match(error.message, says, name)
    t.ok(error.message.length < 1000, `${name}: ${error.message.length}`)
  }
  const invalid = Buffer.concat([
    Buffer.from('path,size\n'),
    Buffer.from([0xff]),
    Buffer.from(',1\n'),
  ])
  t.match(await failureIn(all(invalid)), { message: /no file below/ })
  const columns = await failureIn(all('a,1\n', { columns: 'path' }))
  t.match(columns, { code: 'PAWL_INVALID_OPTION', message: /needs the col/ })
})

await t.test('no more of a list is in memory than a row', async (t) => {
  let given = 0
  async function* endless() {
    yield Buffer.from('path,size\n"')
    for (; given < 10_000; given++) yield Buffer.alloc(16 * 1024, 'x')
  }
  const files = inventoryFiles(endless())
  const error = await failureIn(files.next())
  t.match(error, { code: 'PAWL_INVALID_OPTION', message: /Max Record Size/ })
  t.ok(given < 100, `${given} chunks were taken`)
})

await t.test('a list that cannot be read is told', async (t) => {
  const packed = gzipSync('path,size\na,1\n')
  const cut = await failureIn(all(packed.subarray(0, packed.length - 9)))
  t.equal(cut.code, 'PAWL_SOURCE_IO')
  async function* broken() {
    yield Buffer.from('path,size\na,1\n')
    throw new Error('the disk is gone')
  }
  const files = inventoryFiles(broken())
  await t.rejects(
    (async () => {
      for await (const file of files) t.same(file, { path: 'a', size: 1 })
    })(),
    { code: 'PAWL_SOURCE_IO', message: /the disk is gone/ },
  )
  const gone = inventoryFiles(join(t.testdir({}), 'none.csv'))
  t.equal((await failureIn(gone.next())).code, 'PAWL_SOURCE_IO')
  for (const wrong of [undefined, null, 7, '']) {
    // @ts-expect-error no list
    const none = inventoryFiles(wrong)
    t.equal((await failureIn(none.next())).code, 'PAWL_INVALID_OPTION')
  }
})

await t.test('who stops reading a list closes it', async (t) => {
  let close = (): void => undefined
  const closed = new Promise<void>((resolve) => {
    close = resolve
  })
  async function* source() {
    try {
      yield Buffer.from('path,size\na,1\nb,2\n')
      for (;;) yield Buffer.from('c,3\n'.repeat(1000))
    } finally {
      close()
    }
  }
  for await (const file of inventoryFiles(source())) {
    if (file.path === 'b') break
  }
  await closed
  t.pass('nobody else would have ended it')
})

await t.test('a fleet is planned from a list, and goes on', async (t) => {
  const b = await fleetBench(t, { count: 7 })
  const list = join(b.directory, 'list.csv.gz')
  const rows = [...b.files].map(
    ([path, { length }]) =>
      `"bucket","${encodeURIComponent(path)}","${length}"`,
  )
  await writeFile(list, gzipSync(rows.join('\n')))
  const { queue, small: store, retry } = b
  const plan = () =>
    planFleet({
      queue,
      fleet: 'list',
      store,
      retry,
      files: inventoryFiles(list, { columns: 'Bucket, Key, Size' }),
      key: ({ path }) => `in/${path}`,
      sliceFiles: 3,
    })
  t.match(await plan(), { files: 7, slices: 3, added: 3 })
  t.match(await plan(), { files: 7, slices: 3, added: 0 })
  for (const { data } of queue.jobs.values()) {
    t.match(await (await b.work(data))?.run(), { failed: 0 })
  }
  for (const [path, bytes] of b.files) {
    t.ok(bytes.equals(await b.object(`in/${path}`)), path)
  }
})
