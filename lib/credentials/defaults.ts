/** What is found on a machine for a store: credentials, and where it is. */
import type { OssCredentials } from '../store/oss/store.js'
import type { S3Credentials } from '../store/s3/store.js'

/** Which service credentials are for. */
export type Service = 'oss' | 's3'

/** What a store of the service takes. */
export interface CredentialsOf {
  /** For `ossStore`. */
  oss: OssCredentials
  /** For `s3Store`. */
  s3: S3Credentials
}

/** Where to look; all of it has a default. */
export interface DefaultCredentialsOptions {
  /** A profile by name, before the environment's keys; default: as the tools have it. */
  profile?: string
  /**
   * A shell command that prints credentials as JSON, before anything else, in the
   * form of `credential_process`. It is asked again before they expire.
   */
  credentialProcess?: string
  /** Default: `process.env`. */
  environment?: Readonly<Record<string, string | undefined>>
  /** Where files of settings are; default: `HOME`, or what the system says. */
  home?: string
}

/** A key of either service, before it is put into its words. */
export interface FoundKey {
  id: string
  secret: string
  token?: string | undefined
  /** As it was written, or ms since 1970. */
  expiration?: string | number | Date | undefined
}

/** A place that has credentials, which are read when they are asked for. */
export interface FoundCredentials {
  /** In words, such as `the profile dev of ~/.aws/credentials`. */
  from: string
  get: () => Promise<FoundKey>
  /** Nothing was seen of them: only asking shows whether there are any. */
  isGuess?: boolean
}

/** What is there but cannot be used as things are. */
export interface Unused {
  /** In words. */
  what: string
  /** What makes it usable: a package to install, or a sentence. */
  needs: string
}

/** What was found for a service. */
export interface Found {
  credentials?: FoundCredentials | undefined
  region?: string | undefined
  endpoint?: string | undefined
  /** A file of certificates. */
  ca?: string | undefined
  unused: readonly Unused[]
}

/** The settings and the file system that finding works on. */
export interface Place {
  environment: Readonly<Record<string, string | undefined>>
  home: string
  profile: string | undefined
  /** Undefined when there is no such file. */
  read: (path: string) => Promise<string | undefined>
}

/** The first of some variables that is set and not empty. */
export function named(
  { environment }: Pick<Place, 'environment'>,
  ...names: readonly string[]
): string | undefined {
  for (const name of names) {
    const value = environment[name]
    if (value !== undefined && value !== '') return value
  }
  return undefined
}
