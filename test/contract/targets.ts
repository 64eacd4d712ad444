/** The stores that the contract test knows. */
import type { Test } from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import type { ObjectStore } from '../../lib/index.js'
import { ossStore } from '../../lib/store/oss/store.js'
import { s3Store } from '../../lib/store/s3/store.js'
import { bucket, keys, smallPart } from '../support/dev-store.js'
import { aliClient, awsClient } from './other-client.js'
import {
  newPrefix,
  type Behaviours,
  type Target,
  type Variation,
} from './target.js'

const MiB = 1024 * 1024

/** Where a bucket is, and who may use it. */
interface Place {
  name: string
  endpoint: string
  region: string
  bucket: string
  accessKeyId: string
  secret: string
  token?: string | undefined
  addressing?: 'virtual' | 'path' | undefined
  pages: Target['pages']
  behaviours: Behaviours
}

/** Small ones, so that a second page takes few requests. */
const smallPages = { parts: 20, uploads: 20 }

/** The dev server as OSS; closed with the test. */
export async function devOssTarget(t: Test): Promise<Target> {
  const server = await startDevServer({ maxPageSize: 20 })
  t.teardown(() => server.close())
  return ossTarget(t, {
    name: 'the dev server as OSS',
    endpoint: server.endpoint,
    region: 'cn-hangzhou',
    bucket,
    accessKeyId: keys.accessKeyId,
    secret: keys.accessKeySecret,
    pages: smallPages,
    behaviours: {
      completeOfAborted: 'no-upload',
      unnamedParts: 'left-out',
      overwriteByPut: 'refused',
      overwriteByComplete: 'refused',
      unknownKey: 'credentials',
      etags: 'md5',
      completeEtag: 'given',
      partsAfterComplete: 'gone',
    },
  })
}

/** The dev server as S3; closed with the test. */
export async function devS3Target(t: Test): Promise<Target> {
  const server = await startDevServer({ maxPageSize: 20 })
  t.teardown(() => server.close())
  return s3Target(t, {
    name: 'the dev server as S3',
    endpoint: server.endpoint,
    region: 'us-east-1',
    bucket,
    accessKeyId: keys.accessKeyId,
    secret: keys.accessKeySecret,
    pages: smallPages,
    behaviours: {
      completeOfAborted: 'no-upload',
      unnamedParts: 'left-out',
      overwriteByPut: 'refused',
      overwriteByComplete: 'refused',
      unknownKey: 'credentials',
      etags: 'md5',
      completeEtag: 'given',
      checksums: 'compared',
      partsAfterComplete: 'gone',
    },
  })
}

/** Real servers by the name that `S3_SERVER` gives them. */
const servers: Record<string, Pick<Place, 'pages' | 'behaviours'>> = {
  'ceph-rgw': {
    pages: smallPages,
    behaviours: {
      completeOfAborted: 'server',
      unnamedParts: 'refused',
      overwriteByPut: 'refused',
      overwriteByComplete: 'ignored',
      unknownKey: 'credentials',
      etags: 'md5',
      completeEtag: 'empty',
      checksums: 'ignored',
      partsAfterComplete: 'gone',
    },
  },
  'swift-s3': {
    pages: { parts: 20, uploads: 1000 },
    behaviours: {
      completeOfAborted: 'no-upload',
      unnamedParts: 'left-out',
      overwriteByPut: 'unsupported',
      overwriteByComplete: 'refused',
      unknownKey: 'denied',
      etags: 'md5',
      completeEtag: 'given',
      checksums: 'ignored',
      partsAfterComplete: 'listed',
    },
  },
}

/**
 * The store that the environment names: `S3_ENDPOINT`, `S3_REGION`, `S3_BUCKET`,
 * `S3_ACCESS_KEY_ID`, `S3_SECRET_ACCESS_KEY`, `S3_SESSION_TOKEN` and
 * `S3_ADDRESSING` (`path` unless given), or the same of `OSS_`, with
 * `OSS_ACCESS_KEY_SECRET`. Throws when it names none.
 */
export function environmentTarget(t: Test): Target {
  const isOss = process.env['S3_BUCKET'] === undefined
  const kind = isOss ? 'OSS' : 'S3'
  const value = (name: string): string => {
    const text = process.env[`${kind}_${name}`] ?? ''
    if (text === '') throw new Error(`set ${kind}_${name}, see the README`)
    return text
  }
  const server = process.env['S3_SERVER']
  const place: Place = {
    name: server ?? process.env[`${kind}_ENDPOINT`] ?? '',
    endpoint: value('ENDPOINT'),
    region: value('REGION'),
    bucket: value('BUCKET'),
    accessKeyId: value('ACCESS_KEY_ID'),
    secret: value(isOss ? 'ACCESS_KEY_SECRET' : 'SECRET_ACCESS_KEY'),
    token: process.env[`${kind}_SESSION_TOKEN`],
    addressing: process.env['S3_ADDRESSING'] === 'virtual' ? 'virtual' : 'path',
    ...((server === undefined ? undefined : servers[server]) ?? {
      pages: { parts: 1000, uploads: 1000 },
      behaviours: {},
    }),
  }
  return isOss ? ossTarget(t, place) : s3Target(t, place)
}

function ossTarget(t: Test, place: Place): Target {
  const { endpoint, region, token } = place
  const options = { endpoint, region }
  const other = aliClient({
    endpoint,
    region: `oss-${region}`,
    bucket: place.bucket,
    accessKeyId: place.accessKeyId,
    accessKeySecret: place.secret,
    ...(token === undefined ? {} : { stsToken: token }),
  })
  t.teardown(() => other.close())
  return {
    name: place.name,
    dialect: 'oss',
    partSize: smallPart,
    behaviours: place.behaviours,
    pages: place.pages,
    prefix: newPrefix(),
    other,
    child: {
      options: { ...options, bucket: place.bucket },
      environment: {
        OSS_ACCESS_KEY_ID: place.accessKeyId,
        OSS_ACCESS_KEY_SECRET: place.secret,
        OSS_SESSION_TOKEN: token ?? '',
      },
    },
    store: (t, variation = {}) =>
      closedWith(
        t,
        ossStore({
          ...options,
          bucket: variation.bucket ?? place.bucket,
          ...dispatcherOf(variation),
          credentials: {
            accessKeyId: variation.accessKeyId ?? place.accessKeyId,
            accessKeySecret: variation.secret ?? place.secret,
            ...(token === undefined ? {} : { securityToken: token }),
          },
        }),
      ),
  }
}

function s3Target(t: Test, place: Place): Target {
  const { endpoint, region, token, addressing = 'path' } = place
  const session = token === undefined ? {} : { sessionToken: token }
  const options = { endpoint, region, addressing }
  const other = awsClient(place.bucket, {
    endpoint,
    region,
    forcePathStyle: addressing === 'path',
    credentials: {
      accessKeyId: place.accessKeyId,
      secretAccessKey: place.secret,
      ...session,
    },
  })
  t.teardown(() => other.close())
  return {
    name: place.name,
    dialect: 's3',
    partSize: 5 * MiB,
    behaviours: place.behaviours,
    pages: place.pages,
    prefix: newPrefix(),
    other,
    child: {
      options: { ...options, bucket: place.bucket },
      environment: {
        AWS_ACCESS_KEY_ID: place.accessKeyId,
        AWS_SECRET_ACCESS_KEY: place.secret,
        AWS_SESSION_TOKEN: token ?? '',
      },
    },
    store: (t, variation = {}) =>
      closedWith(
        t,
        s3Store({
          ...options,
          bucket: variation.bucket ?? place.bucket,
          ...dispatcherOf(variation),
          ...(variation.checksum === undefined
            ? {}
            : { checksum: variation.checksum }),
          credentials: {
            accessKeyId: variation.accessKeyId ?? place.accessKeyId,
            secretAccessKey: variation.secret ?? place.secret,
            ...session,
          },
        }),
      ),
  }
}

function dispatcherOf({ dispatcher }: Variation) {
  return dispatcher === undefined ? {} : { dispatcher }
}

function closedWith(t: Test, store: ObjectStore): ObjectStore {
  t.teardown(() => store.close())
  return store
}
