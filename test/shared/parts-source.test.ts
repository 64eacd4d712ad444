import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { file } from '../../lib/shared/index.js'
import { placeBelow } from '../../lib/shared/parts-source.js'
import { temporaryDirectory } from '../support/dev-store.js'
import { failureIn, key, sharedUpload } from '../support/shared-upload.js'

await t.test('a path stays below its root, links included', async (t) => {
  const directory = await temporaryDirectory(t)
  const root = join(directory, 'data')
  await mkdir(join(root, 'deep'), { recursive: true })
  await mkdir(join(directory, 'data-secret'))
  const inside = join(root, 'deep/db.dump')
  const outside = join(directory, 'data-secret/key')
  await writeFile(inside, '')
  await writeFile(outside, '')
  await symlink(outside, join(root, 'out'))
  await symlink(join(directory, 'data-secret'), join(root, 'outer'))
  await symlink(inside, join(root, 'in'))
  await symlink(root, join(directory, 'alias'))
  const good: [path: string, root: string][] = [
    ['deep/db.dump', root],
    ['./deep//db.dump', root],
    [inside, root],
    ['in', root],
    ['deep/db.dump', join(directory, 'alias')],
    [join(directory, 'alias/deep/db.dump'), join(directory, 'alias')],
    [inside, join(directory, 'alias')],
  ]
  for (const [path, below] of good) {
    t.equal(await placeBelow(path, below), inside, path)
  }
  const bad = [
    '..',
    '../data-secret/key',
    'deep/../../data-secret/key',
    'deep/../deep/db.dump',
    outside,
    join(root, '../data-secret/key'),
    'out',
    'outer/key',
    '.',
    root,
    '/etc/passwd',
    '..\\data-secret\\key',
  ]
  for (const path of bad) {
    const error = await failureIn(placeBelow(path, root))
    t.equal(error.code, 'PAWL_INVALID_OPTION', path)
  }
  const gone = await failureIn(placeBelow('deep/gone', root))
  t.equal(gone.code, 'PAWL_SOURCE_IO')
})

await t.test('a range is read below the root alone', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin()
  const root = join(s.directory, 'data')
  await mkdir(root)
  await symlink(s.path, join(root, 'link'))
  for (const path of [s.path, 'link', '../db.dump']) {
    const error = await failureIn(s.send(ticket, { source: file(path), root }))
    t.equal(error.code, 'PAWL_INVALID_OPTION', path)
  }
  const receipts = await s.send(ticket, {
    source: file('db.dump'),
    root: s.directory,
  })
  await s.complete(ticket, receipts)
  t.ok(s.bytes.equals(await s.object(key)))
})

await t.test('a file that is not the one is refused', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin()
  const path = join(s.directory, 'longer')
  await writeFile(path, Buffer.concat([s.bytes, Buffer.from('x')]))
  const longer = await failureIn(s.send(ticket, { source: file(path) }))
  t.match(longer, { code: 'PAWL_SOURCE_CHANGED', transient: false })
  const changing = await failureIn(
    s.send(ticket, {
      concurrency: 1,
      onPart: ({ partNumber }) => {
        // Of the same size, while it is read.
        if (partNumber === 3) {
          void writeFile(s.path, Buffer.alloc(s.bytes.length))
        }
      },
    }),
  )
  t.equal(changing.code, 'PAWL_SOURCE_CHANGED')
})
