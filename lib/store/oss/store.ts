/** Alibaba Cloud OSS as an object store. */
import type { Dispatcher } from 'undici'
import { realEnvironment, type Environment } from '../../environment.js'
import { invalidOption } from '../../errors.js'
import { checkKnownOptions, type KnownOptions } from '../../known-options.js'
import { Clock } from '../clock.js'
import { checkDispatcher, Connections } from '../connections.js'
import {
  checkCredentials,
  credentialsFromEnvironment,
  CredentialSource,
  type Credentials,
} from '../credentials.js'
import type { Dialect, SignedRequest, UnsignedRequest } from '../dialect.js'
import type { Addressing } from '../endpoint-url.js'
import { readCrc } from '../fields.js'
import { checkBucket, checkIdentity } from '../names.js'
import type { ObjectStore } from '../object-store.js'
import { encodeQuery, percentEncodeKey } from '../percent-encode.js'
import { RestStore } from '../rest-store.js'
import { Session } from '../session.js'
import { resolveOssEndpoint, type OssEndpoint } from './endpoint.js'
import { ossErrorHeaders, ossHintFor, ossKindOf } from './errors.js'
import { ossBodyHeaders, ossMetadata, ossObjectHeaders } from './headers.js'
import { signV1 } from './sign-v1.js'
import { signV4 } from './sign-v4.js'

/** An access key, with a token when it is from STS. */
export interface OssCredentials {
  /** The access key's ID. */
  accessKeyId: string
  /** The access key's secret. */
  accessKeySecret: string
  /** Of temporary credentials (STS). */
  securityToken?: string
  /** When a provider's answer ends; it is asked again two minutes before. */
  expiration?: Date | string | number
}

/** Which bucket of OSS, and how it is reached. */
export interface OssStoreOptions {
  /** The bucket's name; it must exist. */
  bucket: string
  /** Such as `cn-hangzhou`; not needed where the endpoint says it. */
  region?: string
  /**
   * Host or URL; default: the region's public endpoint over https ("Regions and
   * endpoints"). A host name of your own goes with `addressing: 'cname'`.
   */
  endpoint?: string
  /** The endpoint for machines inside the region. Default false. */
  internal?: boolean
  /**
   * The transfer acceleration endpoint ("Transfer acceleration"); the bucket must
   * have it enabled. Default false.
   */
  accelerate?: boolean
  /**
   * Default: `OSS_ACCESS_KEY_ID`, `OSS_ACCESS_KEY_SECRET` and
   * `OSS_SESSION_TOKEN`. A function is asked again before `expiration` and
   * after the server has refused its answer.
   */
  credentials?: OssCredentials | (() => Promise<OssCredentials>)
  /** Default `v4`; `v1` is for old private deployments. */
  signatureVersion?: 'v4' | 'v1'
  /** Default `virtual`, or `path` for IP addresses and localhost. */
  addressing?: Addressing
  /** An undici 7 dispatcher, such as a ProxyAgent; used as is, never closed. */
  dispatcher?: Dispatcher
  /** Further headers to sign with `v4`, such as `host`. Default: none. */
  additionalHeaders?: readonly string[]
  /**
   * One name for this bucket, whatever host it is reached by, so that an upload
   * goes on under another one: of a domain of your own, or of an address. No
   * secret. Default: region and bucket where the host is OSS's own, else the
   * host and the bucket.
   */
  identity?: string
  /**
   * Bytes a second that all uploads to this store may send together. Default: as
   * many as the line carries.
   */
  maxRate?: number
  /**
   * Of one object, for servers that take fewer than the 10,000 of the service:
   * parts are cut larger for it. From 1.
   */
  maxParts?: number
}

const names: Record<keyof OssStoreOptions, true> = {
  accelerate: true,
  additionalHeaders: true,
  addressing: true,
  bucket: true,
  credentials: true,
  dispatcher: true,
  endpoint: true,
  identity: true,
  internal: true,
  maxParts: true,
  maxRate: true,
  region: true,
  signatureVersion: true,
}

const ofCredentials = 'credentials: { accessKeyId, accessKeySecret }'
const known: KnownOptions = {
  of: 'ossStore',
  names: Object.keys(names),
  elsewhere: {
    accessKeyId: ofCredentials,
    accessKeySecret: ofCredentials,
    agent: 'dispatcher',
    authorizationV4: "signatureVersion: 'v4'",
    cname: "addressing: 'cname'",
    forcePathStyle: "addressing: 'path'",
    httpsAgent: 'dispatcher',
    retryMax: 'retry, an option of the upload',
    secretAccessKey: ofCredentials,
    secure: "endpoint: 'https://…'",
    securityToken: ofCredentials,
    stsToken: ofCredentials,
    timeout: 'timeout, an option of the upload',
  },
}

/**
 * A bucket of OSS.
 *
 * ```ts
 * const store = ossStore({ region: 'cn-hangzhou', bucket: 'examplebucket' })
 * ```
 *
 * Throws `PAWL_INVALID_OPTION` for bad options and `PAWL_CREDENTIALS` when the
 * environment has no credentials and none are given.
 */
export function ossStore(options: OssStoreOptions): ObjectStore
/** @internal */
export function ossStore(
  options: OssStoreOptions,
  environment: Environment,
): ObjectStore
export function ossStore(
  options: OssStoreOptions,
  environment: Environment = realEnvironment,
): ObjectStore {
  checkKnownOptions(options, known)
  const { bucket, signatureVersion = 'v4' } = options
  checkBucket(bucket)
  checkDispatcher(options.dispatcher)
  if (signatureVersion !== 'v4' && signatureVersion !== 'v1') {
    invalidOption('signatureVersion: expected v4 or v1.')
  }
  const endpoint = resolveOssEndpoint(options)
  if (signatureVersion === 'v4' && endpoint.region === undefined) {
    invalidOption('region: required, signature v4 signs it.')
  }
  const dialect = ossDialect(endpoint, options)
  const session = new Session({
    dialect,
    connections: new Connections({
      origin: endpoint.origin,
      dispatcher: options.dispatcher,
    }),
    credentials: new CredentialSource(
      credentialsOf(options.credentials),
      environment.now,
    ),
    clock: new Clock(environment.now),
    environment,
  })
  return new RestStore(dialect, session, {
    identity: checkIdentity(options.identity) ?? endpoint.identity,
    bucket,
    maxRate: options.maxRate,
    maxParts: options.maxParts,
  })
}

const kib = 1024
const gib = 1024 ** 3

function ossDialect(endpoint: OssEndpoint, options: OssStoreOptions): Dialect {
  return {
    service: 'OSS',
    limits: {
      minPartSize: 100 * kib,
      maxPartSize: 5 * gib,
      maxParts: 10_000,
      maxPutSize: 5 * gib,
      maxKeyBytes: 1023,
      noLeadingSlash: true,
    },
    digest: 'crc64ecma',
    precedence: undefined,
    metadataRules: ossMetadata,
    prefix: 'x-oss-',
    origin: endpoint.origin,
    isOwnDomain: options.addressing === 'cname',
    errorHeaders: ossErrorHeaders,
    initiateQuery: [['encoding-type', 'url']],
    listPartsQuery: [['encoding-type', 'url']],
    completeQuery: [['encoding-type', 'url']],
    listUploadsQuery: [['encoding-type', 'url']],
    headHeaders: {},
    crcHeader: 'x-oss-hash-crc64ecma',
    crcElement: 'HashCrc64ecma',
    readCrc,
    objectHeaders: ossObjectHeaders,
    bodyHeaders: ossBodyHeaders,
    completeHeaders: () => ({}),
    kindOf: ossKindOf,
    hintFor: ossHintFor,
    sign: (request, credentials, time) =>
      sign(request, { credentials, time, endpoint, options }),
  }
}

function sign(
  { method, key, query, headers: unsigned }: UnsignedRequest,
  {
    credentials,
    time,
    endpoint,
    options,
  }: {
    credentials: Credentials
    time: Date
    endpoint: OssEndpoint
    options: OssStoreOptions
  },
): SignedRequest {
  const { bucket, signatureVersion } = options
  const headers = { host: endpoint.host, ...unsigned }
  const input = { method, bucket, key, query, headers, credentials, time }
  const { headers: added } =
    signatureVersion === 'v1'
      ? signV1(input)
      : signV4({
          region: endpoint.region ?? '',
          product: endpoint.product,
          additionalHeaders: options.additionalHeaders,
          ...input,
        })
  const text = encodeQuery(query, '')
  const path = percentEncodeKey(`${endpoint.pathPrefix}/${key ?? ''}`)
  return {
    path: text === '' ? path : `${path}?${text}`,
    headers: Object.assign(headers, added),
  }
}

function credentialsOf(
  given: OssStoreOptions['credentials'],
): Credentials | (() => Promise<Credentials>) {
  if (given === undefined) {
    return credentialsFromEnvironment({
      id: 'OSS_ACCESS_KEY_ID',
      secret: 'OSS_ACCESS_KEY_SECRET',
      token: 'OSS_SESSION_TOKEN',
    })
  }
  if (typeof given !== 'function') return normalized(given)
  return async () => normalized(await given())
}

function normalized(given: OssCredentials): Credentials {
  return checkCredentials({
    id: given.accessKeyId,
    secret: given.accessKeySecret,
    token: given.securityToken,
    expiration: given.expiration,
  })
}
