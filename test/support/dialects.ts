/** A dev server, spoken to as OSS and as S3. */
import { s3Store, type ObjectStore } from '../../lib/index.js'
import { bucket, keys } from './dev-store.js'
import { smallStore } from './small-store.js'
import type { SmallUploads } from './small-upload.js'

export interface Dialect {
  name: string
  store: (dev: Pick<SmallUploads, 'small' | 'server'>) => ObjectStore
  /** The header that a mark travels in. */
  header: string
}

export const dialects: Dialect[] = [
  { name: 'OSS', store: ({ small }) => small, header: 'x-oss-meta-pawl' },
  {
    name: 'S3',
    store: ({ server }) =>
      smallStore(
        s3Store({
          endpoint: server.endpoint,
          region: 'us-east-1',
          bucket,
          credentials: {
            accessKeyId: keys.accessKeyId,
            secretAccessKey: keys.accessKeySecret,
          },
        }),
      ),
    header: 'x-amz-meta-pawl',
  },
]
