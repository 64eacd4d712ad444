import { execFileSync } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { selectionOf } from '../../lib/job/selection.js'
import { PromptFiles } from '../../lib/job/prompt-files.js'
import {
  lookAt,
  pooledLooks,
  unreadable,
  walk,
  type Looks,
} from '../../lib/job/walk.js'
import { temporaryDirectory } from '../support/dev-store.js'

interface Told {
  files: string[]
  skipped: string[]
  errors: string[]
}

interface Chosen {
  followLinks?: boolean
  exclude?: string[]
}

/** The same by whichever thread. */
async function told(root: string, options: Chosen = {}): Promise<Told> {
  const found = await toldBy(pooledLooks, root, options)
  const prompt = new PromptFiles()
  t.same(await toldBy(prompt, root, options), found, 'looked at on this thread')
  return found
}

async function toldBy(
  looks: Looks,
  root: string,
  { followLinks = false, exclude = [] }: Chosen,
): Promise<Told> {
  const seen: Told = { files: [], skipped: [], errors: [] }
  for await (const found of walk(root, {
    selection: selectionOf({ exclude }),
    followLinks,
    looks,
    keyOf: (path) => `p/${path}`,
  })) {
    if ('file' in found) seen.files.push(found.file.key)
    else if ('skipped' in found) seen.skipped.push(found.path)
    else seen.errors.push(String(found.error))
  }
  return seen
}

await t.test('files come by name, whatever the disk says', async (t) => {
  const root = await temporaryDirectory(t)
  await mkdir(join(root, 'b/c'), { recursive: true })
  await mkdir(join(root, 'empty'))
  const digest = '0123456789abcdef0123456789abcdef'
  for (const path of [
    'z',
    'b/c/deep',
    'b/a',
    '.hidden',
    'a b',
    'é',
    `z.${digest}.pawl`,
    `gone.${digest}.pawl`,
    `${digest}.pawl`,
  ]) {
    await writeFile(join(root, path), path)
  }
  t.same(await told(root), {
    files: [
      'p/.hidden',
      'p/a b',
      'p/b/a',
      'p/b/c/deep',
      `p/gone.${digest}.pawl`,
      'p/z',
      'p/é',
    ],
    skipped: [join(root, `${digest}.pawl`), join(root, `z.${digest}.pawl`)],
    errors: [],
  })
  const some = await told(root, { exclude: ['b'] })
  t.notOk(some.files.some((key) => key.startsWith('p/b/')))
})

await t.test('links, loops and what is no file', async (t) => {
  const root = await temporaryDirectory(t)
  await mkdir(join(root, 'dir'))
  await writeFile(join(root, 'dir/file'), 'x')
  await symlink('file', join(root, 'dir/link'))
  await symlink('..', join(root, 'dir/up'))
  await symlink('dir', join(root, 'other'))
  await symlink('nowhere', join(root, 'broken'))
  execFileSync('mkfifo', [join(root, 'fifo')])
  const plain = await told(root)
  t.same(plain.files, ['p/dir/file'])
  t.same(
    plain.skipped,
    ['broken', 'dir/link', 'dir/up', 'fifo', 'other'].map((name) =>
      join(root, name),
    ),
  )
  const followed = await told(root, { followLinks: true })
  t.same(
    followed.files,
    ['p/dir/file', 'p/dir/link', 'p/other/file', 'p/other/link'].toSorted(),
  )
  t.match(followed.errors, [/broken: there is no such file/])
})

await t.test('what cannot be looked at is told', async (t) => {
  const root = await temporaryDirectory(t)
  execFileSync('bash', ['-c', "printf x > $'bad\\xff.txt'"], { cwd: root })
  const { files, errors } = await told(root)
  t.same(files, [])
  t.match(errors, [/its name is not UTF-8/])
  t.equal(errors.length, 1)
  t.match((await told(join(root, 'missing'))).errors, [/no such file/])
  await t.rejects(lookAt(join(root, 'missing'), 'k'), {
    code: 'PAWL_SOURCE_IO',
  })
})

await t.test('what cannot be looked at is told as it is', (t) => {
  const { EACCES, ENAMETOOLONG, ENOTDIR } = constants.errno
  const rows: [cause: unknown, message: string][] = [
    [failed('ENOENT', 2), 'a: there is no such file'],
    [failed('EACCES', EACCES), 'a: permission denied (EACCES)'],
    [failed('ENOTDIR', ENOTDIR), 'a: not a directory (ENOTDIR)'],
    [failed('ENAMETOOLONG', ENAMETOOLONG), 'a: name too long (ENAMETOOLONG)'],
    [failed('EWHAT', 0), 'a: EWHAT'],
    ['thrown', 'a: thrown'],
  ]
  for (const [cause, message] of rows) {
    t.match(unreadable('a', cause), { code: 'PAWL_SOURCE_IO', message, cause })
  }
  t.end()
})

/** As a call of the system fails. */
function failed(code: string, errno: number): Error {
  return Object.assign(new Error(code), { code, errno: -errno })
}
