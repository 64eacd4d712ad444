/** Stores against a scripted server. */
import type { Test } from 'tap'
import type { ObjectStore } from '../../lib/store/object-store.js'
import { ossStore, type OssStoreOptions } from '../../lib/store/oss/store.js'
import { s3Store, type S3StoreOptions } from '../../lib/store/s3/store.js'
import type { ScriptedServer } from './scripted-server.js'

export function testOssStore(
  t: Test,
  server: ScriptedServer,
  options: Partial<OssStoreOptions> = {},
): ObjectStore {
  const store = ossStore({
    bucket: 'examplebucket',
    region: 'cn-hangzhou',
    endpoint: server.origin,
    credentials: { accessKeyId: 'FAKEID', accessKeySecret: 'FAKESECRET' },
    ...options,
  })
  t.teardown(() => store.close())
  return store
}

export function testS3Store(
  t: Test,
  server: ScriptedServer,
  options: Partial<S3StoreOptions> = {},
): ObjectStore {
  const store = s3Store({
    bucket: 'examplebucket',
    region: 'us-east-1',
    endpoint: server.origin,
    credentials: { accessKeyId: 'FAKEID', secretAccessKey: 'FAKESECRET' },
    ...options,
  })
  t.teardown(() => store.close())
  return store
}
