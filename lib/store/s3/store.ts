/** S3 and stores that speak it, as an object store. */
import type { Dispatcher } from 'undici'
import { realEnvironment, type Environment } from '../../environment.js'
import { invalidOption } from '../../errors.js'
import { sha256 } from '../../hash/sha256.js'
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
import { checkIdentity } from '../names.js'
import type { ObjectStore } from '../object-store.js'
import { encodeQuery, percentEncodeKey } from '../percent-encode.js'
import { RestStore } from '../rest-store.js'
import { Session } from '../session.js'
import { decodeCrc, encodeCrc } from './checksum.js'
import {
  checkS3Bucket,
  resolveS3Endpoint,
  type S3Endpoint,
} from './endpoint.js'
import { s3ErrorHeaders, s3HintFor, s3KindOf } from './errors.js'
import { s3Metadata, s3ObjectHeaders } from './headers.js'
import { signSigV4, unsignedPayload } from './sign-v4.js'

/** An access key, with a session token when it is temporary. */
export interface S3Credentials {
  /** The access key's ID. */
  accessKeyId: string
  /** The access key's secret. */
  secretAccessKey: string
  /** Of temporary credentials. */
  sessionToken?: string
  /** When a provider's answer ends; it is asked again two minutes before. */
  expiration?: Date | string | number
}

/** Which bucket of S3 or of a store that speaks it, and how it is reached. */
export interface S3StoreOptions {
  /** The bucket's name; it must exist. On Ceph also `tenant:bucket`. */
  bucket: string
  /** Default: `AWS_REGION`. */
  region?: string
  /** Host or URL; default: AWS's endpoint of the region over https. */
  endpoint?: string
  /**
   * Default: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
   * `AWS_SESSION_TOKEN`. A function is asked again before `expiration` and
   * after the server has refused its answer.
   */
  credentials?: S3Credentials | (() => Promise<S3Credentials>)
  /** Default `virtual` on the hosts of AWS and others that want it, else `path`. */
  addressing?: Addressing
  /**
   * `crc64nvme` sends and compares S3's own checksums; by default none are, as
   * many compatible servers refuse them, and Content-MD5 does the work.
   */
  checksum?: 'crc64nvme'
  /**
   * All parts but the last must be of one size, or Complete is refused. Default:
   * true for Cloudflare R2's own hosts ("Upload objects", multipart), else false.
   */
  equalParts?: boolean
  /**
   * One name for this bucket, whatever host it is reached by, so that an upload
   * goes on under another one: of a domain of your own, or of an address. No
   * secret. Default: region and bucket where the host is AWS's own, else the
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
  /** An undici 7 dispatcher, such as a ProxyAgent; used as is, never closed. */
  dispatcher?: Dispatcher
}

const names: Record<keyof S3StoreOptions, true> = {
  addressing: true,
  bucket: true,
  checksum: true,
  credentials: true,
  dispatcher: true,
  endpoint: true,
  equalParts: true,
  identity: true,
  maxParts: true,
  maxRate: true,
  region: true,
}

const ofCredentials = 'credentials: { accessKeyId, secretAccessKey }'
const known: KnownOptions = {
  of: 's3Store',
  names: Object.keys(names),
  elsewhere: {
    accessKeyId: ofCredentials,
    agent: 'dispatcher',
    forcePathStyle: "addressing: 'path'",
    maxAttempts: 'retry, an option of the upload',
    requestHandler: 'dispatcher',
    s3ForcePathStyle: "addressing: 'path'",
    secretAccessKey: ofCredentials,
    sessionToken: ofCredentials,
    useAccelerateEndpoint: "endpoint: 's3-accelerate.amazonaws.com'",
    useDualstackEndpoint: "endpoint: 's3.dualstack.….amazonaws.com'",
  },
}

/**
 * A bucket of S3.
 *
 * ```ts
 * const store = s3Store({ region: 'eu-central-1', bucket: 'examplebucket' })
 * ```
 *
 * Throws `PAWL_INVALID_OPTION` for bad options and `PAWL_CREDENTIALS` when the
 * environment has no credentials and none are given.
 */
export function s3Store(options: S3StoreOptions): ObjectStore
/** @internal */
export function s3Store(
  options: S3StoreOptions,
  environment: Environment,
): ObjectStore
export function s3Store(
  options: S3StoreOptions,
  environment: Environment = realEnvironment,
): ObjectStore {
  checkKnownOptions(options, known)
  const { bucket, checksum } = options
  checkS3Bucket(bucket)
  checkDispatcher(options.dispatcher)
  const region = options.region ?? process.env['AWS_REGION']
  if (region === undefined || region === '') {
    return invalidOption('region: required, or set AWS_REGION.')
  }
  if (checksum !== undefined && checksum !== 'crc64nvme') {
    invalidOption('checksum: expected crc64nvme.')
  }
  const endpoint = resolveS3Endpoint({ ...options, region })
  const { equalParts = endpoint.isR2 } = options
  if (typeof equalParts !== 'boolean') {
    invalidOption('equalParts: expected true or false.')
  }
  const dialect = s3Dialect(endpoint, {
    region,
    checksum,
    equalParts,
    addressing: options.addressing,
  })
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

const mib = 1024 ** 2
const gib = 1024 ** 3
const crcHeader = 'x-amz-checksum-crc64nvme'

function s3Dialect(
  endpoint: S3Endpoint,
  {
    region,
    checksum,
    equalParts,
    addressing,
  }: {
    region: string
    checksum: S3StoreOptions['checksum']
    equalParts: boolean
    addressing: Addressing | undefined
  },
): Dialect {
  const withCrc = checksum === 'crc64nvme'
  const initiate: Record<string, string> = withCrc
    ? {
        'x-amz-checksum-algorithm': 'CRC64NVME',
        'x-amz-checksum-type': 'FULL_OBJECT',
      }
    : {}
  const crc = (crc64: string | undefined): Record<string, string> =>
    withCrc && crc64 !== undefined ? { [crcHeader]: encodeCrc(crc64) } : {}
  return {
    service: 'S3',
    limits: {
      minPartSize: 5 * mib,
      maxPartSize: 5 * gib,
      maxParts: 10_000,
      maxPutSize: 5 * gib,
      maxKeyBytes: 1024,
      equalParts: equalParts ? true : undefined,
    },
    digest: withCrc ? 'crc64nvme' : 'md5',
    precedence: endpoint.isAws ? 'initiate' : undefined,
    metadataRules: s3Metadata,
    prefix: 'x-amz-',
    origin: endpoint.origin,
    isOwnDomain: addressing === 'cname',
    errorHeaders: s3ErrorHeaders,
    initiateQuery: [],
    listPartsQuery: [],
    completeQuery: [],
    // Ceph encodes keys when asked to, and does not say that it did.
    listUploadsQuery: [],
    xmlNamespace: 'http://s3.amazonaws.com/doc/2006-03-01/',
    // Without it HEAD says nothing of checksums.
    headHeaders: withCrc ? { 'x-amz-checksum-mode': 'ENABLED' } : {},
    crcHeader,
    crcElement: 'ChecksumCRC64NVME',
    // Servers may report a checksum nobody asked for; only ours is compared.
    readCrc: (text) => (withCrc ? decodeCrc(text) : undefined),
    objectHeaders: (object) => s3ObjectHeaders(object, initiate),
    bodyHeaders: ({ crc64 }) => crc(crc64),
    completeHeaders: ({ crc64, size }) =>
      withCrc
        ? {
            'x-amz-checksum-type': 'FULL_OBJECT',
            'x-amz-mp-object-size': String(size),
            ...crc(crc64),
          }
        : {},
    kindOf: s3KindOf,
    hintFor: s3HintFor,
    sign: (request, credentials, time) =>
      sign(request, { credentials, time, endpoint, region }),
  }
}

function sign(
  { method, key, query, headers: unsigned, content }: UnsignedRequest,
  {
    credentials,
    time,
    endpoint,
    region,
  }: {
    credentials: Credentials
    time: Date
    endpoint: S3Endpoint
    region: string
  },
): SignedRequest {
  const headers = { host: endpoint.host, ...unsigned }
  const path = percentEncodeKey(`${endpoint.pathPrefix}/${key ?? ''}`)
  const { headers: added } = signSigV4({
    method,
    path,
    query,
    headers,
    credentials,
    region,
    time,
    payload: payloadOf(method, content),
  })
  const text = encodeQuery(query, '=')
  return {
    path: text === '' ? path : `${path}?${text}`,
    headers: Object.assign(headers, added),
  }
}

const noContent = sha256('')

/** Bodies of parts are streams that are read once; they go unsigned. */
function payloadOf(method: string, content: Buffer | undefined): string {
  if (content !== undefined) return sha256(content)
  return method === 'PUT' ? unsignedPayload : noContent
}

function credentialsOf(
  given: S3StoreOptions['credentials'],
): Credentials | (() => Promise<Credentials>) {
  if (given === undefined) {
    return credentialsFromEnvironment({
      id: 'AWS_ACCESS_KEY_ID',
      secret: 'AWS_SECRET_ACCESS_KEY',
      token: 'AWS_SESSION_TOKEN',
    })
  }
  if (typeof given !== 'function') return normalized(given)
  return async () => normalized(await given())
}

function normalized(given: S3Credentials): Credentials {
  return checkCredentials({
    id: given.accessKeyId,
    secret: given.secretAccessKey,
    token: given.sessionToken,
    expiration: given.expiration,
  })
}
