/** The flags of `pawl put`, and what they are as options of the library. */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { UploadError } from '../index.js'
import type { ObjectOptions, ObjectStore, UploadOptions } from '../index.js'
import { flagOf } from './foreign-flags.js'
import type { LogPlaces } from './log-place.js'
import { given } from './target.js'
import { parseDuration, parseSize, parseWholeNumber } from './units.js'

export interface PutFlags {
  size?: number
  exec?: string
  allowEmpty?: true
  recursive?: true
  include?: string[]
  exclude?: string[]
  followLinks?: true
  jobs?: number
  ifChanged?: true
  dryRun?: true
  quiet?: true
  verbose?: true
  partSize?: number
  concurrency?: number | 'auto'
  memory?: number
  /** False: none. */
  checkpoint?: string | false
  checkpointDir?: string
  /** Of an engine, or `bucket`. */
  log?: string
  sourceId?: string
  multipartThreshold?: number
  prove?: 'identity' | 'hash'
  proof?: 'xxh64' | 'sha256'
  onSourceChange?: 'reupload' | 'fail'
  verify?: 'crc64' | 'md5' | 'none'
  trafficLimit?: number
  requestPayer?: true
  sequential?: true
  patience?: number
  attempts?: number
  stallTimeout?: number
  contentType?: string
  cacheControl?: string
  contentDisposition?: string
  contentEncoding?: string
  expires?: string
  meta?: Record<string, string>
  acl?: string
  storageClass?: string
  tag?: Record<string, string>
  encryption?: string
  encryptionKeyId?: string
  dataEncryption?: string
  /** A file. */
  customerKey?: string
  forbidOverwrite?: true
  callbackUrl?: string[]
  callbackBody?: string
  callbackBodyType?: 'application/x-www-form-urlencoded' | 'application/json'
  callbackHost?: string
  callbackVar?: Record<string, string>
  header?: Record<string, string>
  /** False: the object carries none. */
  mark?: boolean
  trustLog?: boolean
}

export function addPutFlags(command: Command): Command {
  const choice = (flags: string, text: string, values: readonly string[]) =>
    new Option(flags, text).choices(values)
  return command
    .optionsGroup('Source:')
    .option('--size <bytes>', 'standard input: what it must come to', parseSize)
    .option('--exec <command>', 'upload what a shell command prints')
    .option('--allow-empty', 'standard input and --exec: zero bytes are right')
    .optionsGroup('Many files:')
    .option('-r, --recursive', 'directories, with all that is in them')
    .option('--include <glob>', 'only these files; repeatable', several)
    .option(
      '--exclude <glob>',
      'not these files and directories; repeatable',
      several,
    )
    .option('--follow-links', 'take what symbolic links lead to')
    .option('--jobs <n>', 'files at once (16)', parseAtLeastOne)
    .option('--if-changed', 'not what the server has, by CRC-64 or MD5')
    .option('--dry-run', 'say what would be sent, send nothing')
    .optionsGroup('Output:')
    .option('-q, --quiet', 'failures alone')
    .option('-v, --verbose', 'a line for each file, and what servers say')
    .optionsGroup('Resume:')
    .option('--checkpoint <path>', 'the log: a file or a directory')
    .option('--no-checkpoint', 'no log; what is stored cannot be gone on with')
    .option('--checkpoint-dir <dir>', 'a directory for logs')
    .option('--log <url>', 'bucket, redis://host/0#name or postgres://…#name')
    .option('--source-id <text>', 'changes when the source does; elsewhere too')
    .option('--trust-log', 'the log may be owned or written by others')
    .addOption(
      choice('--prove <how>', 'stored parts of a file: how they are proved', [
        'identity',
        'hash',
      ]),
    )
    .addOption(
      choice('--proof <hash>', 'what proves parts equal', ['xxh64', 'sha256']),
    )
    .addOption(
      choice('--on-source-change <what>', 'a stored part that differs', [
        'reupload',
        'fail',
      ]),
    )
    .optionsGroup('Transfer:')
    .option(
      '--part-size <bytes>',
      'bytes of a part (8MiB; without --size standard input and --exec grow to 32MiB, up to 289GiB in all)',
      parseSize,
    )
    .option(
      '--max-parts <n>',
      'that the server takes of one object (10000); parts become larger for it',
      parseWholeNumber,
    )
    .option('--concurrency <n>', 'parts in flight (auto)', parseAtOnce)
    .option('--max-rate <bytes>', 'a second, of all files together', parseSize)
    .option('--memory <bytes>', 'for parts of one upload (96MiB)', parseSize)
    .option(
      '--multipart-threshold <bytes>',
      'smaller files are put in one request (the part size)',
      parseSize,
    )
    .addOption(
      choice('--verify <what>', 'what is compared with the server', [
        'crc64',
        'md5',
        'none',
      ]),
    )
    .option('--traffic-limit <bits>', 'OSS: bits a second', parseWholeNumber)
    .option('--request-payer', 'the requester pays')
    .option('--sequential', 'OSS: one part at a time, in order')
    .option('--attempts <n>', 'requests for one part', parseWholeNumber)
    .option(
      '--stall-timeout <time>',
      'without a byte moving (60s)',
      parseDuration,
    )
    .optionsGroup('Object:')
    .option('--content-type <type>', 'default: guessed from the file name')
    .option('--cache-control <value>')
    .option('--content-disposition <value>')
    .option('--content-encoding <value>')
    .option('--expires <date>')
    .option('--meta <name=value>', 'user metadata; repeatable', pair('='))
    .option('--acl <acl>')
    .option('--storage-class <class>')
    .option('--tag <name=value>', 'a tag; repeatable', pair('='))
    .option('--encryption <algorithm>', 'AES256, KMS, SM4 or aws:kms')
    .option('--encryption-key-id <id>')
    .option('--data-encryption <algorithm>', 'OSS, with KMS: SM4')
    .option(
      '--customer-key <file>',
      'S3: a key of your own, 32 bytes; PAWL_CUSTOMER_KEY has it in base64',
    )
    .option('--forbid-overwrite', 'fail when the object exists already')
    .option('--no-mark', 'no metadata by which the upload knows its object')
    .option('--header <name:value>', 'any header; repeatable', pair(':'))
    .optionsGroup('Callback (OSS):')
    .option('--callback-url <url>', 'repeatable', several)
    .option('--callback-body <template>')
    .option('--callback-body-type <type>')
    .option('--callback-host <host>')
    .option('--callback-var <name=value>', 'repeatable', pair('='))
}

/** Collects a flag that may be given again. */
function several(value: string, before: string[] = []): string[] {
  return [...before, value]
}

function parseAtOnce(text: string): number | 'auto' {
  return text === 'auto' ? text : parseWholeNumber(text)
}

function parseAtLeastOne(text: string): number {
  const number = parseWholeNumber(text)
  if (number >= 1 && number <= 256) return number
  throw new InvalidArgumentError('Expected a number from 1 to 256.')
}

/** The library's, in bytes. */
const defaultPartSize = 8 * 1024 * 1024

/** Files shorter than this, in bytes, are put in one request. */
export function thresholdOf(
  { multipartThreshold, partSize }: PutFlags,
  { limits }: Pick<ObjectStore, 'limits'>,
): number {
  const threshold = multipartThreshold ?? partSize ?? defaultPartSize
  return Math.min(threshold, limits.maxPutSize)
}

/** Undefined: the library's place, or that of `--checkpoint-dir`. */
export async function checkpointOf(
  flags: PutFlags,
  {
    store,
    places,
    file: { path, key, size },
  }: {
    store: ObjectStore
    places: LogPlaces
    file: { path: string; key: string; size: number }
  },
): Promise<string | false | undefined> {
  const { checkpoint, checkpointDir } = flags
  // `true` is only the other side of --no-checkpoint.
  if (typeof checkpoint === 'string' || checkpoint === false) return checkpoint
  if (checkpointDir !== undefined) return undefined
  const place = { identity: store.identity, key, path }
  const isOneRequest = size === 0 || size < thresholdOf(flags, store)
  if (isOneRequest && !(await places.hasLog(place))) return false
  return places.find(place)
}

/** What files and standard input have in common. */
export function uploadOptionsOf(
  flags: PutFlags,
): Omit<UploadOptions, 'store' | 'key'> {
  const { verify, requestPayer, stallTimeout: stall } = flags
  return given({
    partSize: flags.partSize,
    concurrency: flags.concurrency,
    memory: flags.memory,
    proof: flags.proof,
    onSourceChange: flags.onSourceChange,
    trafficLimit: flags.trafficLimit,
    sequential: flags.sequential,
    verify: verify === 'none' ? (false as const) : verify,
    requestPayer:
      requestPayer === undefined ? undefined : ('requester' as const),
    retry: given({ patience: flags.patience, attempts: flags.attempts }),
    timeout: stall === undefined ? undefined : { stall },
    object: objectOf(flags),
    mark: flags.mark === false ? false : undefined,
    trustLog: flags.trustLog,
  })
}

function objectOf(flags: PutFlags): ObjectOptions {
  mustGoWith(flags)
  const { encryption, encryptionKeyId: keyId, dataEncryption } = flags
  const { callbackUrl: url, callbackBody: body = '' } = flags
  const { callbackBodyType: bodyType, callbackHost: host } = flags
  return given({
    contentType: flags.contentType,
    cacheControl: flags.cacheControl,
    contentDisposition: flags.contentDisposition,
    contentEncoding: flags.contentEncoding,
    expires: flags.expires,
    acl: flags.acl,
    storageClass: flags.storageClass,
    forbidOverwrite: flags.forbidOverwrite,
    metadata: flags.meta,
    tagging: flags.tag,
    headers: flags.header,
    encryption:
      encryption === undefined
        ? undefined
        : { algorithm: encryption, ...given({ keyId, dataEncryption }) },
    callback:
      url === undefined
        ? undefined
        : {
            url,
            body,
            ...given({ bodyType, host, variables: flags.callbackVar }),
          },
  })
}

/** Flags that say more of another one. */
const companions = [
  ['encryption', ['encryptionKeyId', 'dataEncryption']],
  [
    'callbackUrl',
    ['callbackBody', 'callbackBodyType', 'callbackHost', 'callbackVar'],
  ],
] as const

/** Alone they would be dropped, as if they had been obeyed. */
function mustGoWith(flags: PutFlags): void {
  for (const [name, others] of companions) {
    const alone = others.find((one) => flags[one] !== undefined)
    if (flags[name] === undefined && alone !== undefined) {
      throw new UploadError(
        'PAWL_INVALID_OPTION',
        `${flagOf(alone)} needs ${flagOf(name)}`,
      )
    }
  }
}

/** Collects `name=value` pairs of a flag that may be given again. */
function pair(separator: string) {
  return (
    text: string,
    before: Record<string, string> = {},
  ): Record<string, string> => {
    const at = text.indexOf(separator)
    const name = text.slice(0, Math.max(0, at)).trim()
    if (name === '') {
      throw new InvalidArgumentError(`Expected name${separator}value.`)
    }
    return { ...before, [name]: text.slice(at + 1).trim() }
  }
}
