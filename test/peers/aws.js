/** The AWS command line, `aws s3` and some of `aws s3api`. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'

export const aws = {
  packages: ['awscli'],
  version: ({ run }) => run('/usr/bin/aws', ['--version']),
  *steps({ run, endpoint, tree, path, write, sameTree, sameFile }) {
    const call = (words, options) =>
      run(
        '/usr/bin/aws',
        ['--endpoint-url', endpoint, '--no-cli-pager', ...words],
        options,
      )
    const s3 = (...words) => call(['s3', ...words, '--no-progress'])
    const plain = (...words) => call(['s3', ...words])
    const api = (...words) => call(['s3api', ...words])
    const [one, two] = ['s3://aws-one', 's3://aws-two']
    yield [
      's3 mb',
      async () => {
        await plain('mb', one)
        await plain('mb', two)
      },
    ]
    yield [
      's3 ls',
      async () => {
        const listed = await plain('ls')
        assert.match(listed, /aws-one\n/)
        assert.match(listed, /aws-two\n/)
      },
    ]
    yield [
      's3 cp, a small file and one of parts',
      async () => {
        await s3('cp', `${tree}/small.txt`, `${one}/small.txt`)
        await s3('cp', `${tree}/big.bin`, `${one}/big.bin`)
        await s3('cp', `${one}/big.bin`, path('aws.bin'))
        await sameFile(path('aws.bin'), `${tree}/big.bin`)
      },
    ]
    yield [
      's3 cp from standard input, of parts',
      async () => {
        const input = await readFile(`${tree}/big.bin`)
        await call(['s3', 'cp', '-', `${one}/stream.bin`], { input })
        await s3('cp', `${one}/stream.bin`, path('aws-stream.bin'))
        await sameFile(path('aws-stream.bin'), `${tree}/big.bin`)
      },
    ]
    yield [
      's3 cp from bucket to bucket, in parts',
      async () => {
        await s3('cp', `${one}/big.bin`, `${two}/copied.bin`)
        await s3('cp', `${two}/copied.bin`, path('aws-copied.bin'))
        await sameFile(path('aws-copied.bin'), `${tree}/big.bin`)
      },
    ]
    yield [
      's3 mv, to, within and from',
      async () => {
        await write('aws-move.txt', 'moved')
        await s3('mv', path('aws-move.txt'), `${one}/moved.txt`)
        await s3('mv', `${one}/moved.txt`, `${two}/dir/moved.txt`)
        assert.doesNotMatch(await plain('ls', `${one}/`), /moved/)
        await s3('mv', `${two}/dir/moved.txt`, path('aws-moved.txt'))
        assert.equal(await readFile(path('aws-moved.txt'), 'utf8'), 'moved')
        assert.doesNotMatch(await plain('ls', `${two}/`), /dir/)
      },
    ]
    yield [
      's3 sync there, again, and back',
      async () => {
        await s3('sync', tree, `${one}/tree`)
        assert.equal(await s3('sync', tree, `${one}/tree`), '')
        await s3('sync', `${one}/tree`, path('aws-back'))
        await sameTree(tree, path('aws-back'))
      },
    ]
    yield [
      's3 sync --delete between buckets',
      async () => {
        await s3('sync', `${one}/tree`, `${two}/tree`)
        await plain('rm', `${one}/tree/empty`)
        const said = await s3('sync', '--delete', `${one}/tree`, `${two}/tree`)
        assert.match(said, /delete: s3:\/\/aws-two\/tree\/empty/)
      },
    ]
    yield [
      's3 ls, with folders and recursive',
      async () => {
        assert.match(await plain('ls', `${one}/`), / PRE tree\/\n/)
        const all = await plain('ls', one, '--recursive', '--summarize')
        assert.match(all, /tree\/sub dir\/b c\+d&e=\(1\)'\.txt\n/)
        assert.match(all, /Total Objects: 6\n/)
      },
    ]
    yield [
      's3 presign',
      async () => {
        const url = (await plain('presign', `${one}/small.txt`)).trim()
        assert.equal(await (await fetch(url)).text(), 'small\n')
      },
    ]
    yield [
      's3api head-object, get-object with conditions',
      async () => {
        const small = ['--bucket', 'aws-one', '--key', 'small.txt']
        const head = JSON.parse(await api('head-object', ...small))
        assert.equal(head.ContentLength, 6)
        const failing = ['get-object', ...small, path('x')]
        const same = ['--if-none-match', head.ETag]
        const said = await call(['s3api', ...failing, ...same], { code: 254 })
        assert.match(said, /304/)
      },
    ]
    yield [
      's3api delete-objects',
      async () => {
        const list = 'Objects=[{Key=stream.bin},{Key=none}]'
        const words = [
          'delete-objects',
          '--bucket',
          'aws-one',
          '--delete',
          list,
        ]
        assert.equal(JSON.parse(await api(...words)).Deleted.length, 2)
      },
    ]
    yield [
      's3api put-, get- and delete-object-tagging',
      async () => {
        const object = ['--bucket', 'aws-one', '--key', 'small.txt']
        const tags = ['--tagging', 'TagSet=[{Key=a,Value=1}]']
        await api('put-object-tagging', ...object, ...tags)
        const { TagSet } = JSON.parse(
          await api('get-object-tagging', ...object),
        )
        assert.deepEqual(TagSet, [{ Key: 'a', Value: '1' }])
        await api('delete-object-tagging', ...object)
      },
    ]
    yield [
      's3api get-object-attributes',
      async () => {
        const object = ['--bucket', 'aws-one', '--key', 'big.bin']
        const wanted = [
          '--object-attributes',
          'ETag',
          'ObjectSize',
          'ObjectParts',
        ]
        const got = JSON.parse(
          await api('get-object-attributes', ...object, ...wanted),
        )
        assert.equal(got.ObjectParts.TotalPartsCount, 2)
      },
    ]
    yield [
      's3api put-object-retention is refused, and nothing lost',
      async () => {
        const object = ['--bucket', 'aws-one', '--key', 'small.txt']
        const retention = ['--retention', 'Mode=GOVERNANCE']
        const said = await call(
          ['s3api', 'put-object-retention', ...object, ...retention],
          { code: 254 },
        )
        assert.match(said, /NotImplemented/)
        await s3('cp', `${one}/small.txt`, path('aws-small.txt'))
        await sameFile(path('aws-small.txt'), `${tree}/small.txt`)
      },
    ]
    yield [
      's3 rm --recursive, s3 rb, s3 rb --force',
      async () => {
        await plain('rm', one, '--recursive')
        await plain('rb', one)
        await plain('rb', two, '--force')
        assert.doesNotMatch(await plain('ls'), /aws-/)
      },
    ]
  },
}
