import t from 'tap'
import {
  checkFleet,
  decodeEnd,
  decodeDone,
  decodeFailed,
  decodeHead,
  decodeSlice,
  encodeEnd,
  encodeHead,
  encodeLines,
  encodeSlice,
  jobIdOf,
  keyIn,
  markOf,
  mostEnd,
  mostFiles,
  mostSlices,
  planOf,
  readJob,
  type Slice,
} from '../../lib/fleet/manifest.js'

const nonce = 'ab'.repeat(16)
const wanted = { fleet: 'ingest-2026', slice: 7, store: 'oss:a/b' }
const slice: Slice = {
  ...wanted,
  nonce,
  files: [
    { path: 'a/b.txt', key: 'x/a/b.txt', size: 5, mtime: '17000000000' },
    { path: 'ü "q"\n.txt', key: 'x/ü', size: 0 },
  ],
}

await t.test('a slice is read as it was written', async (t) => {
  const text = encodeSlice(slice)
  t.equal(text.split('\n').length, 4)
  t.same(decodeSlice(text, wanted), slice)
  t.equal(keyIn('f', 'manifest', 12), '.pawl/f/manifest/000012')
  const plan = planOf(nonce)
  t.equal(jobIdOf({ fleet: 'f', plan, slice: 12 }), `f-f-${plan}-000012`)
  t.not(plan, planOf('cd'.repeat(16)))
})

await t.test('what others have written is no slice', async (t) => {
  const text = encodeSlice(slice)
  const head = (change: object): string => {
    const [first = '', ...rest] = text.split('\n')
    const fields = JSON.parse(first) as object
    return [JSON.stringify({ ...fields, ...change }), ...rest].join('\n')
  }
  const line = (change: object): string => {
    const lines = text.split('\n')
    const fields = JSON.parse(lines[1] ?? '') as object
    lines[1] = JSON.stringify({ ...fields, ...change })
    return lines.join('\n')
  }
  const million = encodeSlice({
    ...slice,
    files: Array.from({ length: mostFiles + 1 }, (_, i) => ({
      path: `${i}`,
      key: `${i}`,
      size: 1,
    })),
  })
  const cases: Record<string, string> = {
    empty: '',
    'no JSON': 'x\ny\n',
    'another fleet': head({ fleet: 'other' }),
    'another slice': head({ slice: 8 }),
    'another store': head({ store: 'oss:a/c' }),
    'no nonce': head({ nonce: 'x' }),
    'another form': head({ pawl: 2 }),
    'fewer files': head({ files: 3 }),
    'more files than there may be': million,
    'no path': line({ path: '' }),
    'a NUL': line({ path: 'a\0b' }),
    'a long path': line({ path: 'a'.repeat(5000) }),
    'no key': line({ key: '' }),
    'a long key': line({ key: 'k'.repeat(2000) }),
    'a size that is none': line({ size: -1 }),
    'a time that is none': line({ mtime: 'now' }),
    'a line that is a list': text.replace(/\{"path":"a.*\}/, '[1]'),
  }
  for (const [name, other] of Object.entries(cases)) {
    t.throws(() => decodeSlice(other, wanted), { code: 'PAWL_RESPONSE' }, name)
  }
})

await t.test('a job says a fleet and a slice, or nothing', async (t) => {
  const plan = planOf(nonce)
  const job = { fleet: 'a', plan, slice: 1 }
  t.same(readJob({ ...job, more: 2, again: 'x' }), { ...job, again: false })
  t.same(readJob({ ...job, again: true }), { ...job, again: true })
  const cases: unknown[] = [
    undefined,
    null,
    'a',
    {},
    { fleet: 'a', plan },
    { fleet: 'a', slice: 1 },
    { ...job, plan: '' },
    { ...job, plan: `${plan}0` },
    { ...job, plan: '../../../../../x' },
    { ...job, plan: [plan] },
    { ...job, fleet: '../a' },
    { ...job, fleet: 'a/b' },
    { ...job, fleet: '..' },
    { ...job, fleet: 'a:b' },
    { ...job, fleet: 'a'.repeat(65) },
    { ...job, slice: 0 },
    { ...job, slice: 1.5 },
    { ...job, slice: '1' },
    { ...job, slice: 1e9 },
    { ...job, fleet: ['a'] },
  ]
  for (const data of cases) {
    t.throws(
      () => readJob(data),
      { code: 'PAWL_INVALID_OPTION' },
      JSON.stringify(data),
    )
  }
  t.doesNotThrow(() => checkFleet('ingest-2026_11.r1'))
})

await t.test('a plan is of one store, and its end adds up', async (t) => {
  const { fleet, store } = wanted
  const head = encodeHead({ fleet, store, nonce })
  t.same(decodeHead(head, wanted), { pawl: 1, fleet, store, nonce })
  t.throws(() => decodeHead(head, { fleet, store: 'oss:a/c' }), {
    code: 'PAWL_INVALID_OPTION',
  })
  for (const text of ['', '[]', '{}', head.replace(nonce, 'x')]) {
    t.throws(() => decodeHead(text, wanted), { code: 'PAWL_RESPONSE' }, text)
  }
  const slices = [
    [2, 5],
    [1, 0],
  ] as const
  t.same(decodeEnd(encodeEnd({ slices }), fleet).slices, slices)
  const pair = [1, Number.MAX_SAFE_INTEGER] as const
  const most = Array.from({ length: mostSlices }, () => pair)
  t.ok(encodeEnd({ slices: most }).length <= mostEnd, 'it can be read again')
  for (const text of ['', '{"slices":7}', '{"slices":[[1]]}']) {
    t.throws(() => decodeEnd(text, fleet), { code: 'PAWL_RESPONSE' }, text)
  }
  const failed = { ...slice.files[0], code: 'PAWL_SOURCE_IO', message: 'm' }
  t.match(decodeFailed(encodeLines([failed]), wanted), [failed])
  const done = { key: 'in/a', size: 1, etag: 'e' }
  t.same(decodeDone(encodeLines([done]), wanted), [done])
  const summed = { ...done, crc64: '12' }
  t.same(decodeDone(encodeLines([{ ...summed, more: 1 }]), wanted), [summed])
  t.same(decodeDone('', wanted), [])
  for (const forged of [{ ...done, size: -1 }, { ...done, etag: 1 }, [], 1]) {
    t.throws(
      () => decodeDone(encodeLines([Object(forged)]), wanted),
      { code: 'PAWL_RESPONSE' },
      JSON.stringify(forged),
    )
  }
  t.throws(() => decodeFailed('{"path":1}\n', wanted), {
    code: 'PAWL_RESPONSE',
  })
})

await t.test('a mark is of one plan, one slice and one line', async (t) => {
  const [file, other] = slice.files
  if (file === undefined || other === undefined) throw new Error('two files')
  const mark = markOf(slice, file)
  t.match(mark, /^[0-9a-f]{32}$/)
  t.equal(markOf({ nonce, slice: 7 }, { ...file }), mark)
  const others = [
    markOf({ nonce, slice: 8 }, file),
    markOf({ nonce: 'cd'.repeat(16), slice: 7 }, file),
    markOf(slice, other),
    markOf(slice, { ...file, size: 6 }),
    markOf(slice, { ...file, mtime: '17000000001' }),
  ]
  t.notOk(others.includes(mark))
})
