/**
 * Where a URL on the command line leads to:
 *
 * - `oss://bucket/key` and `s3://bucket/key`, the key as it is written;
 * - `http://127.0.0.1:port/bucket/key`, on `pawl serve`.
 *
 * Credentials come from the environment, files and commands, never from the
 * command line, so that none end up in a process list or a shell's history.
 */
import {
  ossStore,
  s3Store,
  UploadError,
  type ObjectStore,
  type S3StoreOptions,
} from '../index.js'
import {
  credentialsFor,
  findDefaults,
} from '../credentials/default-credentials.js'
import type { CredentialsOf, Found } from '../credentials/defaults.js'
import { refuseForeignFlags, type Service } from './foreign-flags.js'
import { openRoute, type Route } from './route.js'
import type { Environment } from './state-directory.js'

export interface StoreFlags {
  endpoint?: string
  region?: string
  internal?: boolean
  accelerate?: boolean
  addressing?: 'virtual' | 'path' | 'cname'
  profile?: string
  credentialProcess?: string
  proxy?: string
  ca?: string
  checksum?: 'crc64nvme'
  signature?: 'v4' | 'v1'
  equalParts?: true
  identity?: string
  /** Of `put`: bytes a second, of all that goes to the store. */
  maxRate?: number
  /** Of `put`: parts of one object. */
  maxParts?: number
}

export interface Target {
  service: Service
  store: ObjectStore
  bucket: string
  /** May be empty. */
  key: string
  /** The URL again, for a key. */
  urlOf(key: string): string
  /** Closes what was opened for it. */
  close(): Promise<void>
}

/** The region that the signature names where the endpoint is this machine. */
const localRegions = { oss: 'cn-hangzhou', s3: 'us-east-1' }

/** Rejects with `PAWL_INVALID_OPTION`, and `PAWL_CREDENTIALS` without credentials. */
export async function openTarget(
  url: string,
  flags: StoreFlags,
  environment: Environment,
): Promise<Target> {
  const match = /^(oss|s3):\/\/([^/]+)(?:\/([\s\S]*))?$/.exec(url)
  if (match === null) return openLocal(url, flags, environment)
  const [, scheme, bucket = '', key = ''] = match
  const service: Service = scheme === 's3' ? 's3' : 'oss'
  refuseForeignFlags(flags, { service, isLocal: false })
  const { profile, credentialProcess } = flags
  const found = await findDefaults(service, {
    ...given({ profile, credentialProcess }),
    environment,
  })
  const open = service === 's3' ? openS3 : openOss
  const wanted = open(bucket, flags, found)
  const route = await openRoute(
    { proxy: flags.proxy, ca: flags.ca ?? found.ca },
    environment,
  )
  return {
    ...targetOf(await wanted(route), route),
    service,
    bucket,
    key,
    urlOf: (name) => `${scheme}://${bucket}/${name}`,
  }
}

type Open = (route: Route) => Promise<ObjectStore>

function openOss(bucket: string, flags: StoreFlags, found: Found): Open {
  const { internal, accelerate, addressing, identity } = flags
  const { maxRate, maxParts } = flags
  const signatureVersion = flags.signature
  // What is said on the command line goes before what is found.
  const endpoint =
    flags.endpoint ?? (internal || accelerate ? undefined : found.endpoint)
  const region =
    flags.region ??
    found.region ??
    (isLocal(endpoint) ? localRegions.oss : undefined)
  if (endpoint === undefined && region === undefined) {
    needsRegion('oss', 'OSS_REGION, or --endpoint or OSS_ENDPOINT')
  }
  return async ({ dispatcher }) =>
    ossStore({
      bucket,
      ...given({ endpoint, region, internal, accelerate, addressing }),
      ...given({ dispatcher, identity, signatureVersion, maxRate, maxParts }),
      credentials: await askedOnce('oss', found),
    })
}

function openS3(bucket: string, flags: StoreFlags, found: Found): Open {
  const { addressing, checksum, equalParts, identity } = flags
  const { maxRate, maxParts } = flags
  const endpoint = flags.endpoint ?? found.endpoint
  const region =
    flags.region ??
    found.region ??
    (isLocal(endpoint) ? localRegions.s3 : undefined)
  if (region === undefined) {
    return needsRegion('s3', 'AWS_REGION, or the region of a profile')
  }
  return async ({ dispatcher }) =>
    s3Store({
      bucket,
      region,
      ...given({ endpoint, addressing, checksum, dispatcher }),
      ...given({ equalParts, identity, maxRate, maxParts }),
      credentials: await askedOnce('s3', found),
    } satisfies S3StoreOptions)
}

/** Asks before anything is opened; what is answered serves the first request. */
async function askedOnce<Name extends Service>(
  service: Name,
  found: Found,
): Promise<() => Promise<CredentialsOf[Name]>> {
  let first: CredentialsOf[Name] | undefined = await credentialsFor(
    service,
    found,
  )
  return async () => {
    const answer = first ?? (await credentialsFor(service, found))
    first = undefined
    return answer
  }
}

function needsRegion(scheme: string, ways: string): never {
  throw new UploadError(
    'PAWL_INVALID_OPTION',
    `${scheme}:// URLs need a region: give --region or set ${ways}`,
  )
}

async function openLocal(
  url: string,
  flags: StoreFlags,
  environment: Environment,
): Promise<Target> {
  const { region = localRegions.oss, maxRate, maxParts } = flags
  const local = URL.canParse(url) ? new URL(url) : undefined
  if (local === undefined || !isLocal(url)) {
    refuse(
      `${JSON.stringify(withoutSecrets(url))} is not a target; expected oss://bucket/key, s3://bucket/key, or http://127.0.0.1:port/bucket/key of pawl serve`,
    )
  }
  const { username, password, search, hash } = local
  if (`${username}${password}` !== '') {
    refuse('the URL of pawl serve has no name and no password in it')
  }
  if (`${search}${hash}` !== '' || !isPercentEncoded(local.pathname)) {
    refuse(
      `in ${JSON.stringify(withoutSecrets(url))} a ?, a # or a % of the key is written %3F, %23 or %25`,
    )
  }
  if (isChangedByParser(url)) {
    refuse(
      `in ${JSON.stringify(withoutSecrets(url))} a tab, a line end, a backslash and an outer space are written %09, %0A, %5C and %20, and no name is . or ..`,
    )
  }
  refuseForeignFlags(flags, { service: 'oss', isLocal: true })
  const [, bucket = '', ...names] = local.pathname.split('/')
  const { OSS_ACCESS_KEY_ID: id, OSS_ACCESS_KEY_SECRET: secret } = environment
  const { OSS_SESSION_TOKEN: securityToken } = environment
  // This machine is not reached through a proxy, unless one is named.
  const route = await openRoute({ proxy: flags.proxy, ca: flags.ca }, {})
  const store = ossStore({
    bucket,
    endpoint: local.origin,
    region,
    ...given({ dispatcher: route.dispatcher, maxRate, maxParts }),
    credentials:
      id && secret
        ? {
            accessKeyId: id,
            accessKeySecret: secret,
            ...(securityToken ? { securityToken } : {}),
          }
        : // What pawl serve takes; worth nothing anywhere else.
          { accessKeyId: 'dev', accessKeySecret: 'dev-secret' },
  })
  return {
    ...targetOf(store, route),
    service: 'oss',
    bucket,
    key: names.map(decodeURIComponent).join('/'),
    urlOf: (key) =>
      `${local.origin}/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`,
  }
}

/** A URL of another kind may be signed, or hold a password. */
function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^/]*@/, '//').replace(/\?[\s\S]*$/, '?…')
}

/** Whether another URL is made of it without a word, which would be another key. */
function isChangedByParser(url: string): boolean {
  // oxlint-disable-next-line no-control-regex
  const isCut = /[\t\n\r\\]|^[\u0000-\u0020]|[\u0000-\u0020]$/.test(url)
  return isCut || /\/(?:\.|%2e){1,2}(?:\/|$)/i.test(url)
}

function isPercentEncoded(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

function refuse(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}

function targetOf(
  store: ObjectStore,
  route: Route,
): Pick<Target, 'store' | 'close'> {
  return {
    store,
    async close() {
      await store.close()
      await route.close()
    },
  }
}

function isLocal(endpoint: string | undefined): boolean {
  if (endpoint === undefined || !URL.canParse(endpoint)) return false
  const { protocol, hostname } = new URL(endpoint)
  return (
    /^https?:$/.test(protocol) &&
    ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)
  )
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
