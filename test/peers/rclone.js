/** rclone, with the provider that is no special one. */
import assert from 'node:assert/strict'
import { accessKey, secretKey } from './desk.js'

export const rclone = {
  packages: ['rclone'],
  version: async ({ run }) =>
    (await run('/usr/bin/rclone', ['version'])).split('\n')[0] ?? '',
  *steps({ run, endpoint, tree, path, write, sameTree }) {
    const call = (...words) =>
      run('/usr/bin/rclone', ['--config', path('rclone.conf'), ...words])
    const parts = ['--s3-chunk-size', '5M', '--s3-upload-cutoff', '5M']
    const copies = [...parts, '--s3-copy-cutoff', '5M']
    yield [
      'configuration',
      () =>
        write(
          'rclone.conf',
          `[dev]\ntype = s3\nprovider = Other\nendpoint = ${endpoint}\n` +
            `access_key_id = ${accessKey}\nsecret_access_key = ${secretKey}\n` +
            'region = us-east-1\n',
        ),
    ]
    yield [
      'mkdir, lsd',
      async () => {
        await call('mkdir', 'dev:rclone-one')
        assert.match(await call('lsd', 'dev:'), / rclone-one\n/)
      },
    ]
    yield [
      'copy, of parts, and again',
      async () => {
        await call('copy', tree, 'dev:rclone-one/tree', ...parts)
        const said = await call('copy', '-v', tree, 'dev:rclone-one/tree')
        assert.match(said, /nothing to transfer/)
      },
    ]
    yield [
      'check, ls, size',
      async () => {
        await call('check', tree, 'dev:rclone-one/tree')
        assert.match(await call('ls', 'dev:rclone-one'), /tree\/sub dir\/b c/)
        assert.match(await call('size', 'dev:rclone-one'), /Total objects: 4 /)
      },
    ]
    yield [
      'copy back',
      async () => {
        await call('copy', 'dev:rclone-one/tree', path('rclone-back'))
        await sameTree(tree, path('rclone-back'))
      },
    ]
    yield [
      'copy from bucket to bucket, in parts',
      async () => {
        const words = ['dev:rclone-one/tree', 'dev:rclone-two/tree', ...copies]
        await call('copy', ...words)
        await call('check', tree, 'dev:rclone-two/tree')
      },
    ]
    yield [
      'moveto, sync, rcat, cat',
      async () => {
        await call(
          'moveto',
          'dev:rclone-two/tree/small.txt',
          'dev:rclone-two/m',
        )
        assert.equal(await call('cat', 'dev:rclone-two/m'), 'small\n')
        await call('sync', `${tree}/sub dir`, 'dev:rclone-two/tree')
        await call('check', `${tree}/sub dir`, 'dev:rclone-two/tree')
        const config = ['--config', path('rclone.conf')]
        const rcat = [...config, 'rcat', 'dev:rclone-two/stream']
        await run('/usr/bin/rclone', rcat, { input: 'streamed' })
        assert.equal(await call('cat', 'dev:rclone-two/stream'), 'streamed')
      },
    ]
    yield [
      'purge',
      async () => {
        await call('purge', 'dev:rclone-one')
        await call('purge', 'dev:rclone-two')
        assert.doesNotMatch(await call('lsd', 'dev:'), /rclone-/)
      },
    ]
  },
}
