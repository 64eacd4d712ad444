/** How a request can go wrong, each in one row. */
import {
  StoreError,
  type StoreErrorFields,
} from '../../../lib/store/store-error.js'
import type { Random } from '../random.js'
import type { CallName } from './contract.js'

export interface Fault {
  readonly name: string
  readonly weight: number
  readonly calls: readonly CallName[]
  /** Follows the name of the call. */
  readonly story: string
  /** What only happens to an object that was asked for with it. */
  readonly needs?: 'callback'
  /** What takes long, without being wrong. */
  readonly slow?: 'request' | 'answer'
  /** How often the store does what it is asked: `late` is long afterwards. */
  readonly effect: 'none' | 'once' | 'twice' | 'late'
  /** What becomes of the bytes on their way. */
  readonly body?: 'cut' | 'damaged'
  /** What the client hears instead of the store's answer. */
  readonly hears?: StoreErrorFields | 'nothing'
  /** What is wrong with the answer. */
  readonly spoil?: (answer: object, random: Random) => object
}

const all: readonly CallName[] = [
  'createUpload',
  'uploadPart',
  'listParts',
  'completeUpload',
  'abortUpload',
  'listUploads',
  'putObject',
  'headObject',
]
const making: readonly CallName[] = [
  'createUpload',
  'uploadPart',
  'completeUpload',
  'abortUpload',
  'putObject',
]
const withBody: readonly CallName[] = ['uploadPart', 'putObject']
const objects: readonly CallName[] = ['completeUpload', 'putObject']

function system(code: string): Error {
  return Object.assign(new Error(code), { code })
}

/** The callback's own answer takes the place of the store's. */
function withoutCallback(answer: object): object {
  const { callbackBody: _none, ...rest } = answer as { callbackBody?: string }
  return rest
}

const reset = (): StoreErrorFields => ({
  kind: 'network',
  cause: system('ECONNRESET'),
})

export const faults: readonly Fault[] = [
  {
    name: 'refused-connection',
    weight: 2,
    calls: all,
    story: 'cannot connect',
    effect: 'none',
    hears: { kind: 'network', cause: system('ECONNREFUSED') },
  },
  {
    name: 'reset-before',
    weight: 3,
    calls: all,
    story: 'is cut off before it arrives',
    effect: 'none',
    hears: reset(),
  },
  {
    name: 'error-before',
    weight: 4,
    calls: all,
    story: 'is answered 500 and nothing is done',
    effect: 'none',
    hears: { kind: 'server', status: 500, serverCode: 'InternalError' },
  },
  {
    name: 'lost-reply',
    weight: 6,
    calls: making,
    story: 'is done, and its answer lost',
    effect: 'once',
    hears: reset(),
  },
  {
    name: 'error-after',
    weight: 5,
    calls: making,
    story: 'is done, and answered 504',
    effect: 'once',
    hears: { kind: 'server', status: 504, serverCode: 'GatewayTimeout' },
  },
  {
    name: 'silence',
    weight: 2,
    calls: all,
    story: 'is never answered, and nothing is done',
    effect: 'none',
    hears: 'nothing',
  },
  {
    name: 'silence-after',
    weight: 2,
    calls: making,
    story: 'is done, and never answered',
    effect: 'once',
    hears: 'nothing',
  },
  {
    name: 'late-effect',
    weight: 4,
    calls: making,
    story: 'is answered 504, and done long afterwards',
    effect: 'late',
    hears: { kind: 'server', status: 504, serverCode: 'GatewayTimeout' },
  },
  {
    name: 'late-effect-cut',
    weight: 3,
    calls: making,
    story: 'is cut off, and done long afterwards',
    effect: 'late',
    hears: reset(),
  },
  {
    name: 'slow-request',
    weight: 4,
    calls: all,
    story: 'is on its way for long',
    effect: 'once',
    slow: 'request',
  },
  {
    name: 'slow-answer',
    weight: 4,
    calls: all,
    story: 'is done, and its answer on its way for long',
    effect: 'once',
    slow: 'answer',
  },
  {
    name: 'twice',
    weight: 3,
    calls: making,
    story: 'is done twice, and the second answer arrives',
    effect: 'twice',
  },
  {
    name: 'cut-body',
    weight: 2,
    calls: withBody,
    story: 'is cut off within its body',
    effect: 'none',
    body: 'cut',
    hears: reset(),
  },
  {
    name: 'damaged-body',
    weight: 3,
    calls: withBody,
    story: 'arrives with a damaged byte',
    effect: 'once',
    body: 'damaged',
  },
  {
    name: 'wrong-etag',
    weight: 2,
    calls: ['uploadPart'],
    story: 'is done, and answered with the ETag of something else',
    effect: 'once',
    spoil: (answer, random) => ({ ...answer, etag: `"${random.hex(32)}"` }),
  },
  {
    name: 'wrong-crc',
    weight: 1,
    calls: ['uploadPart', 'putObject', 'completeUpload'],
    story: 'is done, and answered with the CRC of something else',
    effect: 'once',
    spoil: (answer, random) =>
      'crc64' in answer ? { ...answer, crc64: `${random.below(1e9)}` } : answer,
  },
  {
    name: 'denied',
    weight: 3,
    calls: all,
    story: 'is denied',
    effect: 'none',
    hears: { kind: 'denied', status: 403, serverCode: 'AccessDenied' },
  },
  {
    name: 'bad-request',
    weight: 2,
    calls: making,
    story: 'is refused with 400',
    effect: 'none',
    hears: { kind: 'request', status: 400, serverCode: 'InvalidArgument' },
  },
  {
    name: 'refused-after',
    weight: 1,
    calls: ['completeUpload'],
    story: 'is done, and denied all the same',
    effect: 'once',
    hears: { kind: 'denied', status: 403, serverCode: 'AccessDenied' },
  },
  {
    name: 'throttled',
    weight: 2,
    calls: all,
    story: 'is throttled',
    effect: 'none',
    hears: { kind: 'throttled', status: 503, serverCode: 'SlowDown' },
  },
  {
    name: 'expired-token',
    weight: 1,
    calls: all,
    story: 'is refused: the token has expired',
    effect: 'none',
    hears: { kind: 'credentials', status: 403, serverCode: 'ExpiredToken' },
  },
  {
    name: 'skewed-clock',
    weight: 1,
    calls: all,
    story: 'is refused: the clocks differ',
    effect: 'none',
    hears: { kind: 'clock', status: 403, serverCode: 'RequestTimeTooSkewed' },
  },
  {
    name: 'not-understood',
    weight: 1,
    calls: all,
    story: 'is done, and answered with something that is no answer',
    effect: 'once',
    hears: { kind: 'response', status: 200 },
  },
  {
    name: 'conflict',
    weight: 2,
    calls: objects,
    story: 'is answered 409: another request is under way',
    effect: 'none',
    hears: {
      kind: 'conflict',
      status: 409,
      serverCode: 'ConditionalRequestConflict',
    },
  },
  {
    name: 'empty-etag',
    weight: 1,
    calls: objects,
    story: 'is done, and answered without an ETag',
    effect: 'once',
    spoil: (answer) => ({ ...answer, etag: '' }),
  },
  {
    name: 'callback-failed',
    weight: 6,
    calls: objects,
    story: 'is done, and the callback that goes with it fails',
    effect: 'once',
    spoil: (answer, random) => ({
      ...withoutCallback(answer),
      ...(random.chance(0.5) ? { etag: '' } : {}),
      callbackFailed: new StoreError('CallbackFailed.', {
        kind: 'response',
        status: 203,
        serverCode: 'CallbackFailed',
      }),
    }),
    needs: 'callback',
  },
  {
    name: 'aborted-by-nobody',
    weight: 1,
    calls: ['uploadPart', 'listParts'],
    story: 'is answered NoSuchUpload, wrongly',
    effect: 'none',
    hears: { kind: 'no-upload', status: 404, serverCode: 'NoSuchUpload' },
  },
]

/** How requests fail while the whole store is away. */
export const outages: readonly [Fault, ...Fault[]] = [
  outage('refused', { kind: 'network', cause: system('ECONNREFUSED') }),
  outage('cut off', reset()),
  outage('unavailable', {
    kind: 'server',
    status: 503,
    serverCode: 'ServiceUnavailable',
  }),
  outage('silent', 'nothing'),
]

function outage(name: string, hears: NonNullable<Fault['hears']>): Fault {
  return { name, weight: 1, calls: all, story: '', effect: 'none', hears }
}

/** How often a fault is likely at a call, where 1 is a call like any other. */
export const faultyCalls: Readonly<Record<CallName, number>> = {
  createUpload: 2,
  uploadPart: 0.6,
  listParts: 1.5,
  completeUpload: 4,
  abortUpload: 2,
  listUploads: 1,
  putObject: 3,
  headObject: 2,
}
