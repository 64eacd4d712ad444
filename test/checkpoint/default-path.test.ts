import { join } from 'node:path'
import t from 'tap'
import { nodeFileSystem } from '../../lib/checkpoint/file-system.js'
import {
  defaultCheckpointName,
  defaultCheckpointPath,
} from '../../lib/checkpoint/default-path.js'

const names = { identity: 'oss:cn-hangzhou/b', key: 'a/secret.gz', source: '' }

await t.test('the name is a digest that says nothing of the key', (t) => {
  const name = defaultCheckpointName(names)
  t.match(name, /^[0-9a-f]{32}\.pawl$/)
  t.equal(defaultCheckpointName({ ...names }), name)
  t.end()
})

await t.test('another target or source has another name', (t) => {
  const all = [
    names,
    { ...names, identity: 'oss:cn-hangzhou/c' },
    { ...names, key: 'a/secret.gz2' },
    { ...names, source: 'x' },
    { identity: 'a', key: 'bc', source: '' },
    { identity: 'ab', key: 'c', source: '' },
  ].map(defaultCheckpointName)
  t.equal(new Set(all).size, all.length)
  t.end()
})

await t.test(
  'a directory gets a file, any other path is taken as it is',
  async (t) => {
    const dir = t.testdir({ file: '' })
    t.equal(
      await defaultCheckpointPath(dir, names, nodeFileSystem),
      join(dir, defaultCheckpointName(names)),
    )
    for (const path of [
      join(dir, 'file'),
      join(dir, 'none'),
      join(dir, 'a/b'),
    ]) {
      t.equal(await defaultCheckpointPath(path, names, nodeFileSystem), path)
    }
  },
)
