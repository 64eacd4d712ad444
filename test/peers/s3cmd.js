/** s3cmd, with V4 signatures. */
import assert from 'node:assert/strict'
import { accessKey, secretKey } from './desk.js'

export const s3cmd = {
  packages: ['s3cmd'],
  version: ({ run }) => run('/usr/bin/s3cmd', ['--version']),
  *steps({ run, endpoint, tree, path, write, sameFile, sameTree }) {
    const { host } = new URL(endpoint)
    const call = (...words) =>
      run('/usr/bin/s3cmd', ['-c', path('s3cfg'), '--no-progress', ...words])
    const [one, two] = ['s3://s3cmd-one', 's3://s3cmd-two']
    const chunks = '--multipart-chunk-size-mb=5'
    yield [
      'configuration',
      () =>
        write(
          's3cfg',
          `[default]\naccess_key = ${accessKey}\nsecret_key = ${secretKey}\n` +
            `host_base = ${host}\nhost_bucket = ${host}/%(bucket)\n` +
            'use_https = False\nsignature_v2 = False\n',
        ),
    ]
    yield [
      'mb, ls',
      async () => {
        await call('mb', one)
        await call('mb', two)
        assert.match(await call('ls'), /s3:\/\/s3cmd-one\n/)
      },
    ]
    yield [
      'put, get, of one piece and of parts',
      async () => {
        await call('put', `${tree}/small.txt`, `${one}/small.txt`)
        await call('put', chunks, `${tree}/big.bin`, `${one}/big.bin`)
        await call('get', '--force', `${one}/big.bin`, path('s3cmd.bin'))
        await sameFile(path('s3cmd.bin'), `${tree}/big.bin`)
      },
    ]
    yield [
      'info',
      async () => {
        assert.match(await call('info', one), /Location: +us-east-1\n/)
        assert.match(await call('info', `${one}/small.txt`), /File size: 6\n/)
      },
    ]
    yield [
      'cp, mv, modify',
      async () => {
        await call('cp', `${one}/small.txt`, `${two}/a.txt`)
        await call('cp', `${one}/big.bin`, `${two}/big.bin`)
        await call('mv', `${one}/small.txt`, `${two}/b.txt`)
        assert.doesNotMatch(await call('ls', one), /small/)
        const header = '--add-header=x-amz-meta-colour:blue'
        await call('modify', header, `${two}/a.txt`)
        assert.match(await call('info', `${two}/a.txt`), /colour: blue/)
        await call('get', '--force', `${two}/a.txt`, path('s3cmd.txt'))
        await sameFile(path('s3cmd.txt'), `${tree}/small.txt`)
      },
    ]
    yield [
      'sync there and back',
      async () => {
        await call('sync', `${tree}/`, `${one}/tree/`)
        await call('sync', `${one}/tree/`, `${path('s3cmd-back')}/`)
        await sameTree(tree, path('s3cmd-back'))
      },
    ]
    yield [
      'la, du, multipart',
      async () => {
        assert.match(await call('la'), /s3:\/\/s3cmd-two\/b\.txt\n/)
        assert.match(await call('du', one), / 5 objects /)
        assert.match(await call('multipart', one), /Initiated/)
      },
    ]
    yield [
      'setacl is refused, and nothing lost',
      async () => {
        const words = ['-c', path('s3cfg'), 'setacl', '--acl-public']
        const setacl = [...words, `${two}/a.txt`]
        const said = await run('/usr/bin/s3cmd', setacl, { code: 11 })
        assert.match(said, /501 \(NotImplemented\)/)
        await call('get', '--force', `${two}/a.txt`, path('s3cmd.txt'))
        await sameFile(path('s3cmd.txt'), `${tree}/small.txt`)
      },
    ]
    yield [
      'del --recursive, rb, rb --recursive',
      async () => {
        await call('del', '--recursive', '--force', one)
        await call('rb', one)
        await call('rb', '--recursive', '--force', two)
        assert.doesNotMatch(await call('ls'), /s3cmd-/)
      },
    ]
  },
}
