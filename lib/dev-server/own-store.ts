/**
 * A store for a bucket of the server's own: the one place where the dev server
 * uses the library, whose requests it is there to judge.
 */
import { invalidOption } from '../errors.js'
import type { ObjectStore } from '../store/object-store.js'
import { ossStore } from '../store/oss/store.js'
import { s3Store } from '../store/s3/store.js'
import type { DevServerCredentials } from './options.js'

/** Where the server is, and what it lets in as of now. */
export interface OwnPlace {
  endpoint: string
  /** What signatures have to name; undefined: any. */
  region: string | undefined
  credentials: () => DevServerCredentials
}

export function ownStore(
  { endpoint, region, credentials }: OwnPlace,
  bucket: string,
  dialect: unknown = 'oss',
): ObjectStore {
  const place = { endpoint, bucket, addressing: 'path' } as const
  switch (dialect) {
    case 'oss':
      return ossStore({
        ...place,
        region: region ?? 'cn-hangzhou',
        credentials: async () => credentials(),
      })
    case 's3':
      return s3Store({
        ...place,
        region: region ?? 'us-east-1',
        credentials: async () => {
          const { accessKeyId, accessKeySecret, securityToken } = credentials()
          return {
            accessKeyId,
            secretAccessKey: accessKeySecret,
            ...(securityToken === undefined
              ? {}
              : { sessionToken: securityToken }),
          }
        },
      })
    default:
      return invalidOption(
        `store(bucket, dialect): the dialect is 'oss' or 's3', not ${String(dialect)}`,
      )
  }
}
