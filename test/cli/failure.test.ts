import { Command } from 'commander'
import t from 'tap'
import { exitCodeOf, type TaskKind } from '../../lib/cli/exit-code.js'
import {
  failureText,
  namedOptions,
  stoppedText,
} from '../../lib/cli/failure.js'
import { withStore } from '../../lib/cli/program.js'
import { addPutFlags } from '../../lib/cli/put-options.js'
import { UploadError, type ErrorCode } from '../../lib/index.js'

type Fields = ConstructorParameters<typeof UploadError>[2]

function failure(code: ErrorCode, message: string, fields?: Fields) {
  return new UploadError(code, message, fields)
}

await t.test('a failure says its code and what to do', async (t) => {
  const begun = { resumable: true, transient: true }
  const kept = { resumable: true }
  const transient = true
  const rows: [unknown, TaskKind, number, string][] = [
    [failure('PAWL_INVALID_OPTION', 'a\n  b'), 'file', 2, 'a b'],
    [
      failure('PAWL_INVALID_OPTION', 'partSize must be 1'),
      'file',
      2,
      '--part-size must be 1',
    ],
    [
      failure('PAWL_INVALID_OPTION', 'object.storageClass: empty'),
      'file',
      2,
      '--storage-class: empty',
    ],
    [
      failure('PAWL_NETWORK', 'cut', begun),
      'file',
      3,
      'cut\nCheck the network and the endpoint. Run the same command again to go on from what is stored.',
    ],
    [
      failure('PAWL_NETWORK', 'cut', { transient }),
      'file',
      3,
      'cut\nCheck the network and the endpoint. Run the same command again.',
    ],
    [
      failure('PAWL_NETWORK', 'cut', { transient }),
      'other',
      1,
      'cut\nCheck the network and the endpoint.',
    ],
    [
      failure('PAWL_SERVER', 'no', begun),
      'stream',
      3,
      'no\nRun the same command again to go on from what is stored.',
    ],
    [
      failure('PAWL_CHECKPOINT_IO', 'full', kept),
      'file',
      1,
      'full\nOnce that is put right, run the same command again to go on from what is stored.',
    ],
    [
      failure('PAWL_CHECKPOINT_IO', 'no', {
        cause: Object.assign(new Error('no'), { code: 'EROFS' }),
      }),
      'file',
      1,
      'no\nGive --checkpoint-dir a directory that can be written, or --no-checkpoint to go without a log.',
    ],
    [
      failure('PAWL_ACCESS_DENIED', 'no', kept),
      'file',
      1,
      'no\nCheck the credentials, and what they are allowed. Then run the same command again to go on from what is stored.',
    ],
    [
      failure('PAWL_ACCESS_DENIED', 'no'),
      'file',
      1,
      'no\nCheck the credentials, and what they are allowed.',
    ],
    [
      failure('PAWL_BEFORE_COMPLETE', 'beforeComplete did not agree', {
        ...kept,
        cause: new Error('the command exited with 7'),
      }),
      'stream',
      1,
      'the command exited with 7\nNothing was completed. Run the same command again once the source is whole.',
    ],
    [
      failure('PAWL_CREDENTIALS', 'no', {
        ...kept,
        status: 403,
        serverCode: 'SecurityTokenExpired',
      }),
      'file',
      1,
      'no\nThe session token has expired: get new credentials. Then run the same command again to go on from what is stored.',
    ],
    [
      failure('PAWL_CREDENTIALS', 'no', {
        status: 400,
        serverCode: 'ExpiredToken',
      }),
      'file',
      1,
      'no\nThe session token has expired: get new credentials.',
    ],
    [
      failure('PAWL_ACCESS_DENIED', 'no', {
        ...kept,
        status: 403,
        serverCode: 'AccessDenied',
      }),
      'file',
      1,
      'no\nThe credentials are known here, but may not do this: have it allowed (PutObject, AbortMultipartUpload and ListParts are needed for the object), or take other credentials. Then run the same command again to go on from what is stored.',
    ],
    [
      failure('PAWL_NETWORK', 'no', {
        ...kept,
        cause: Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }),
      }),
      'file',
      1,
      'no\nThere is no host of that name: check the bucket, the region and the endpoint, and the proxy if one is set. Then run the same command again to go on from what is stored.',
    ],
    [failure('PAWL_SOURCE_CHANGED', 'it did', begun), 'file', 3, 'it did'],
    [
      failure('PAWL_CALLBACK_FAILED', 'no', { completed: true }),
      'file',
      4,
      'no',
    ],
    [
      failure('PAWL_SOURCE_IO', 'a\u001b[2J: gone'),
      'file',
      1,
      'a\\x1b[2J: gone',
    ],
  ]
  for (const [error, kind, code, text] of rows) {
    t.equal(exitCodeOf(error, kind), code)
    const name = error instanceof UploadError ? `${error.code}: ` : ''
    t.equal(failureText(error, kind), `pawl: ${name}${text}`)
  }
  t.equal(failureText(new Error('other'), 'file'), 'pawl: other')
  t.equal(failureText('thrown', 'file'), 'pawl: thrown')
  t.equal(exitCodeOf('thrown', 'file'), 1)
})

await t.test('the options that are named as flags are flags', async (t) => {
  const command = addPutFlags(withStore(new Command()))
  const flags = new Set(command.options.map((option) => option.attributeName()))
  for (const name of namedOptions) {
    t.ok(flags.has(name) || name === 'allowRemote', name)
  }
})

await t.test('what a signal stopped', async (t) => {
  const rows: [TaskKind, boolean, RegExp][] = [
    ['stream', true, /suspended by SIGINT.*the same input from its first byte/],
    ['file', true, /suspended by SIGINT\. Run the same command again to go on/],
    ['file', false, /stopped by SIGINT; nothing is kept that/],
    ['other', false, /stopped by SIGINT\.$/],
  ]
  for (const [kind, resumable, text] of rows) {
    t.match(stoppedText('SIGINT', { kind, resumable }), text)
  }
})
