/**
 * Where a URL on the command line leads to:
 *
 * - `oss://bucket/key` and `s3://bucket/key`, the key as it is written;
 * - `http://127.0.0.1:port/bucket/key`, on `pawl serve`.
 *
 * Credentials come from the environment only, so that none end up in a process
 * list or a shell's history.
 */
import { refuseForeignFlags, type Service } from './foreign-flags.js'
import { ossStore, s3Store, UploadError, type ObjectStore } from '../index.js'

export interface StoreFlags {
  endpoint?: string
  region?: string
  internal?: boolean
  accelerate?: boolean
  addressing?: 'virtual' | 'path' | 'cname'
}

export interface Target {
  store: ObjectStore
  bucket: string
  /** May be empty. */
  key: string
  /** The URL again, for a key. */
  urlOf(key: string): string
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The region that the signature names where the endpoint is this machine. */
const localRegions = { oss: 'cn-hangzhou', s3: 'us-east-1' }

/** Throws `PAWL_INVALID_OPTION`, and `PAWL_CREDENTIALS` without credentials. */
export function openTarget(
  url: string,
  flags: StoreFlags,
  environment: Environment,
): Target {
  const match = /^(oss|s3):\/\/([^/]+)(?:\/([\s\S]*))?$/.exec(url)
  if (match === null) return openLocal(url, flags, environment)
  const [, scheme, bucket = '', key = ''] = match
  const service: Service = scheme === 's3' ? 's3' : 'oss'
  refuseForeignFlags(flags, { service, isLocal: false })
  const store =
    service === 's3'
      ? openS3(bucket, flags, environment)
      : openOss(bucket, flags, environment)
  const urlOf = (name: string) => `${scheme}://${bucket}/${name}`
  return { store, bucket, key, urlOf }
}

function openOss(
  bucket: string,
  flags: StoreFlags,
  environment: Environment,
): ObjectStore {
  const { internal, accelerate, addressing } = flags
  // What is said on the command line goes before what is in the environment.
  const endpoint =
    flags.endpoint ??
    (internal || accelerate ? undefined : named(environment, 'OSS_ENDPOINT'))
  const region =
    flags.region ??
    named(environment, 'OSS_REGION') ??
    (isLocal(endpoint) ? localRegions.oss : undefined)
  if (endpoint === undefined && region === undefined) {
    needsRegion('oss', ['OSS_REGION', 'OSS_ENDPOINT'])
  }
  return ossStore({
    bucket,
    ...given({ endpoint, region, internal, accelerate, addressing }),
  })
}

function openS3(
  bucket: string,
  flags: StoreFlags,
  environment: Environment,
): ObjectStore {
  const endpoint =
    flags.endpoint ??
    named(environment, 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL')
  const region =
    flags.region ??
    named(environment, 'AWS_REGION', 'AWS_DEFAULT_REGION') ??
    (isLocal(endpoint) ? localRegions.s3 : undefined)
  if (region === undefined) needsRegion('s3', ['AWS_REGION'])
  const { addressing } = flags
  return s3Store({ bucket, ...given({ endpoint, region, addressing }) })
}

function needsRegion(scheme: string, variables: readonly string[]): never {
  const [first = '', or] = variables
  const instead = or === undefined ? '' : `, or --endpoint or ${or}`
  throw new UploadError(
    'PAWL_INVALID_OPTION',
    `${scheme}:// URLs need a region: give --region or set ${first}${instead}`,
  )
}

function openLocal(
  url: string,
  flags: StoreFlags,
  environment: Environment,
): Target {
  const { region = localRegions.oss } = flags
  const local = URL.canParse(url) ? new URL(url) : undefined
  if (local === undefined || !isLocal(url)) {
    throw new UploadError(
      'PAWL_INVALID_OPTION',
      `${JSON.stringify(url)} is not a target; expected oss://bucket/key, s3://bucket/key, or http://127.0.0.1:port/bucket/key of pawl serve`,
    )
  }
  refuseForeignFlags(flags, { service: 'oss', isLocal: true })
  const [, bucket = '', ...names] = local.pathname.split('/')
  const hasOwn = named(environment, 'OSS_ACCESS_KEY_ID') !== undefined
  const store = ossStore({
    bucket,
    endpoint: local.origin,
    region,
    // What pawl serve takes; worth nothing anywhere else.
    ...(hasOwn
      ? {}
      : { credentials: { accessKeyId: 'dev', accessKeySecret: 'dev-secret' } }),
  })
  const urlOf = (key: string) =>
    `${local.origin}/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`
  return { store, bucket, key: names.map(decodeURIComponent).join('/'), urlOf }
}

function isLocal(endpoint: string | undefined): boolean {
  if (endpoint === undefined || !URL.canParse(endpoint)) return false
  const { protocol, hostname } = new URL(endpoint)
  return (
    /^https?:$/.test(protocol) &&
    ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)
  )
}

/** The first of some variables that is set and not empty. */
function named(
  environment: Environment,
  ...names: readonly string[]
): string | undefined {
  for (const name of names) {
    const value = environment[name]
    if (value !== undefined && value !== '') return value
  }
  return undefined
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without what is undefined. */
export function given<T extends object>(values: T): Given<T> {
  const entries = Object.entries(values).filter(
    ([, value]) => value !== undefined,
  )
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(entries) as Given<T>
}
