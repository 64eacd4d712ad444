import {
  defaultCredentials,
  s3Store,
  type ObjectStore,
  type S3StoreOptions,
} from 'pawl'

/**
 * A bucket by a profile of `~/.aws/config`: its keys, its `credential_process`, or,
 * with `@aws-sdk/credential-provider-node` installed, its role, SSO or web identity.
 */
export function storeOfProfile(
  profile: string,
  options: Omit<S3StoreOptions, 'credentials'>,
): ObjectStore {
  const credentials = defaultCredentials('s3', { profile })
  return s3Store({ ...options, credentials })
}
