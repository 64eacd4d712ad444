import t from 'tap'
import { selectionOf } from '../../lib/job/selection.js'

await t.test('patterns choose files by name or by path', async (t) => {
  const rows: [
    include: string[],
    exclude: string[],
    path: string,
    isMeant: boolean,
  ][] = [
    [[], [], 'a/b.txt', true],
    [['*.txt'], [], 'a/b.txt', true],
    [['*.txt'], [], 'a/b.log', false],
    [['*.txt', '*.log'], [], 'a/b.log', true],
    [['a/*.txt'], [], 'a/b.txt', true],
    [['a/*.txt'], [], 'x/a/b.txt', false],
    [['**/a/*.txt'], [], 'x/a/b.txt', true],
    [['a/**'], [], 'a/b/c/d', true],
    [['*'], [], '.hidden', true],
    [[], ['.*'], 'a/.hidden', false],
    [[], ['*.tmp'], 'a/b.tmp', false],
    [['*.tmp'], ['*.tmp'], 'a/b.tmp', false],
    [['{a,b}.c'], [], 'x/b.c', true],
    [['[ab].c'], [], 'c.c', false],
    [['./a/*'], [], 'a/b', true],
  ]
  for (const [include, exclude, path, isMeant] of rows) {
    const selection = selectionOf({ include, exclude })
    const name = `${include.join()} - ${exclude.join()}: ${path}`
    t.equal(selection.hasFile(path), isMeant, name)
  }
})

await t.test('an excluded directory is not entered', async (t) => {
  const rows: [exclude: string, path: string, isEntered: boolean][] = [
    ['node_modules', 'a/node_modules', false],
    ['node_modules/', 'a/node_modules', false],
    ['a/cache/', 'a/cache', false],
    ['a/cache', 'b/a/cache', true],
    ['a/**', 'a/b', false],
    ['*.txt', 'a', true],
  ]
  for (const [exclude, path, isEntered] of rows) {
    const selection = selectionOf({ exclude: [exclude] })
    t.equal(selection.entersDirectory(path), isEntered, `${exclude}: ${path}`)
  }
  t.equal(selectionOf({ include: ['*.txt'] }).entersDirectory('a'), true)
})
