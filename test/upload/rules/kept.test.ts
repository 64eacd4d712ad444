/** What is told of a failure: what is kept, and whether to repeat the call. */
import t from 'tap'
import { errorCodes, type ErrorCode } from '../../../lib/errors.js'
import {
  keptAfter,
  type Circumstances,
  type FailureFacts,
} from '../../../lib/upload/rules/kept.js'

function failure(
  code: ErrorCode,
  fields: Partial<FailureFacts> = {},
): FailureFacts {
  return {
    code,
    kind: undefined,
    status: undefined,
    serverCode: undefined,
    systemCode: '',
    resumable: false,
    transient: false,
    ...fields,
  }
}

const kept: Circumstances = {
  isKept: true,
  hasAnswered: true,
  hasAnsweredNow: true,
  isSecond: false,
}

/** `log`: as the log says; then whether it is transient. */
type Told = ['log' | 'yes' | 'no', boolean]

const cases: [
  string,
  FailureFacts,
  Partial<Circumstances>,
  resumable: Told[0],
  transient: Told[1],
][] = [
  ['bad options', failure('PAWL_INVALID_OPTION'), {}, 'no', false],
  ['another log', failure('PAWL_CHECKPOINT_MISMATCH'), {}, 'no', false],
  ['no permission', failure('PAWL_ACCESS_DENIED'), {}, 'log', false],
  ['no bucket', failure('PAWL_NO_SUCH_BUCKET'), {}, 'log', false],
  ['an object', failure('PAWL_ALREADY_EXISTS'), {}, 'log', false],
  ['suspended', failure('PAWL_SUSPENDED'), {}, 'log', true],
  ['beforeComplete', failure('PAWL_BEFORE_COMPLETE'), {}, 'log', false],
  [
    'beforeComplete that says so',
    failure('PAWL_BEFORE_COMPLETE', { transient: true }),
    {},
    'log',
    true,
  ],
  [
    'a file that was written to',
    failure('PAWL_SOURCE_CHANGED', { transient: true }),
    {},
    'log',
    true,
  ],
  [
    'a file that was written to, twice in a row',
    failure('PAWL_SOURCE_CHANGED', { transient: true }),
    { isSecond: true },
    'log',
    false,
  ],
  [
    'descriptors',
    failure('PAWL_SOURCE_IO', { systemCode: 'EMFILE' }),
    {},
    'log',
    true,
  ],
  [
    'a missing file',
    failure('PAWL_SOURCE_IO', { systemCode: 'ENOENT' }),
    {},
    'log',
    false,
  ],
  ['too many parts', failure('PAWL_TOO_MANY_PARTS'), {}, 'no', false],
  ['gone', failure('PAWL_UPLOAD_GONE'), { isKept: false }, 'no', true],
  [
    'gone again',
    failure('PAWL_UPLOAD_GONE'),
    { isKept: false, isSecond: true },
    'no',
    false,
  ],
  ['parts dropped', failure('PAWL_COMPLETE_REFUSED'), {}, 'log', true],
  [
    'refused for good',
    failure('PAWL_COMPLETE_REFUSED'),
    { isKept: false },
    'no',
    false,
  ],
  [
    'refused for the sizes of its parts',
    failure('PAWL_COMPLETE_REFUSED', { transient: true }),
    { isKept: false },
    'no',
    true,
  ],
  [
    'refused for the sizes of its parts, again',
    failure('PAWL_COMPLETE_REFUSED', { transient: true }),
    { isKept: false, isSecond: true },
    'no',
    false,
  ],
  [
    'not known, listed',
    failure('PAWL_COMPLETE_UNKNOWN', { resumable: true, transient: true }),
    {},
    'log',
    true,
  ],
  [
    'not known, gone',
    failure('PAWL_COMPLETE_UNKNOWN', { transient: true }),
    {},
    'no',
    true,
  ],
  [
    'not known, again',
    failure('PAWL_COMPLETE_UNKNOWN', { transient: true }),
    { isSecond: true },
    'no',
    false,
  ],
  [
    'not known, nor by another look',
    failure('PAWL_COMPLETE_UNKNOWN'),
    {},
    'no',
    false,
  ],
  ['a newer log', failure('PAWL_CHECKPOINT_VERSION'), {}, 'yes', false],
  ['held', failure('PAWL_CHECKPOINT_LOCKED'), {}, 'yes', true],
  [
    'a full disk',
    failure('PAWL_CHECKPOINT_IO', { systemCode: 'ENOSPC' }),
    {},
    'log',
    false,
  ],
  ...['ENOENT', 'EACCES', 'EROFS'].map((systemCode): (typeof cases)[number] => [
    `a log that cannot be written: ${systemCode}`,
    failure('PAWL_CHECKPOINT_IO', { systemCode }),
    {},
    'log',
    false,
  ]),
  [
    'a provider that timed out',
    failure('PAWL_CREDENTIALS', { systemCode: 'ETIMEDOUT' }),
    {},
    'log',
    true,
  ],
  ['no credentials', failure('PAWL_CREDENTIALS'), {}, 'log', false],
  ['503', failure('PAWL_SERVER', { kind: 'throttled' }), {}, 'log', true],
  [
    '500',
    failure('PAWL_SERVER', { kind: 'server', status: 500 }),
    {},
    'log',
    true,
  ],
  [
    '507',
    failure('PAWL_SERVER', { kind: 'server', status: 507 }),
    {},
    'log',
    false,
  ],
  [
    'a quota',
    failure('PAWL_SERVER', { kind: 'throttled', serverCode: 'QuotaExceeded' }),
    {},
    'log',
    false,
  ],
  [
    'a wrong clock',
    failure('PAWL_SERVER', { kind: 'clock' }),
    {},
    'log',
    false,
  ],
  ['400', failure('PAWL_SERVER', { kind: 'request' }), {}, 'log', false],
  [
    'a reset',
    failure('PAWL_NETWORK', { systemCode: 'ECONNRESET' }),
    { hasAnswered: false },
    'log',
    true,
  ],
  [
    'refused from the start',
    failure('PAWL_NETWORK', { systemCode: 'ECONNREFUSED' }),
    { hasAnswered: false },
    'log',
    false,
  ],
  [
    'a resolver that is away from the start',
    failure('PAWL_NETWORK', { systemCode: 'EAI_AGAIN' }),
    { hasAnswered: false },
    'log',
    true,
  ],
  [
    'refused later',
    failure('PAWL_NETWORK', { systemCode: 'ECONNREFUSED' }),
    {},
    'log',
    true,
  ],
  [
    'a certificate',
    failure('PAWL_NETWORK', { systemCode: 'CERT_HAS_EXPIRED' }),
    {},
    'log',
    false,
  ],
  ['silence', failure('PAWL_TIMEOUT'), {}, 'log', true],
  [
    'a captive portal',
    failure('PAWL_RESPONSE'),
    { hasAnsweredNow: false },
    'log',
    false,
  ],
  ['a broken answer', failure('PAWL_RESPONSE'), {}, 'log', true],
]

await t.test('what is kept, and whether to repeat', async (t) => {
  for (const [name, error, more, resumable, transient] of cases) {
    for (const isKept of [true, false]) {
      const told = keptAfter(error, { ...kept, isKept, ...more })
      const isLog = more.isKept ?? isKept
      const expected = resumable === 'log' ? isLog : resumable === 'yes'
      t.equal(told.resumable, expected, `${name}, kept: ${isKept}`)
      // What is dropped may be sent again; what is void may not be completed.
      if (error.code === 'PAWL_COMPLETE_REFUSED' && !isKept) continue
      t.equal(told.transient, transient, name)
    }
  }
})

await t.test('every code has its rule', async (t) => {
  for (const code of errorCodes) {
    const { resumable, transient } = keptAfter(failure(code), kept)
    t.type(resumable, 'boolean', code)
    t.type(transient, 'boolean', code)
  }
})
