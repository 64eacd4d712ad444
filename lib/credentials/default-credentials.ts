/**
 * Credentials as people have them: what the vendors' own tools find on this
 * machine, found for a store too.
 */
import { readFile } from 'node:fs/promises'
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import { isError, systemCode } from '../realm.js'
import { UploadError } from '../errors.js'
import { askProcess } from './credential-process.js'
import type {
  CredentialsOf,
  DefaultCredentialsOptions,
  Found,
  FoundKey,
  Place,
  Service,
} from './defaults.js'
import { findAlibaba } from './find-alibaba.js'
import { findAws } from './find-aws.js'
import { homeDirectory } from './home-directory.js'

const names: NamesOf<DefaultCredentialsOptions> = {
  credentialProcess: true,
  environment: true,
  home: true,
  profile: true,
}

/**
 * A provider for `ossStore` or `s3Store` that looks where the command `pawl` and
 * the vendors' tools look: `credentialProcess`; a `profile`; variables of the
 * environment; `~/.ossutilconfig` and `~/.aliyun/config.json` for OSS,
 * `~/.aws/config` and `~/.aws/credentials` for S3; and, where the optional
 * packages `@alicloud/credentials` and `@aws-sdk/credential-provider-node` are
 * installed, roles, SSO, web identity and the servers for tokens.
 *
 * Nothing is looked at before it is asked. It rejects with `PAWL_CREDENTIALS`,
 * and says what it has seen and could not use.
 *
 * @example
 * const store = ossStore({
 *   region: 'cn-hangzhou',
 *   bucket: 'examplebucket',
 *   credentials: defaultCredentials('oss'),
 * })
 */
export function defaultCredentials<Name extends Service>(
  service: Name,
  options: DefaultCredentialsOptions = {},
): () => Promise<CredentialsOf[Name]> {
  checkKnownOptions(options, {
    of: 'defaultCredentials',
    names: Object.keys(names),
  })
  let found: Promise<Found> | undefined
  return async () => {
    found ??= findDefaults(service, options).catch((error: unknown) => {
      // Looked for again by the next call: a file may have been put right.
      found = undefined
      throw error
    })
    return credentialsFor(service, await found)
  }
}

/** All that is found, without asking anybody for a key. */
export async function findDefaults(
  service: Service,
  options: DefaultCredentialsOptions = {},
): Promise<Found> {
  const { environment = process.env, profile, credentialProcess } = options
  const place: Place = {
    environment,
    home: options.home ?? homeDirectory(environment['HOME']),
    profile,
    read: readIfAny,
  }
  const found = await (service === 's3' ? findAws(place) : findAlibaba(place))
  if (credentialProcess === undefined) return found
  const from = 'the credential process'
  return {
    ...found,
    credentials: { from, get: () => askProcess(credentialProcess, from) },
    unused: [],
  }
}

/** Rejects with `PAWL_CREDENTIALS` when there are none. */
export async function credentialsFor<Name extends Service>(
  service: Name,
  found: Found,
): Promise<CredentialsOf[Name]> {
  const { credentials } = found
  if (credentials === undefined) throw noCredentials(service, found)
  const key = await credentials.get().catch((error: unknown) => {
    if (error instanceof UploadError) throw error
    // The text of another's error may hold what it is there to protect.
    const name = isError(error) ? ` (${error.name})` : ''
    const { from, isGuess = false } = credentials
    const text = isGuess
      ? `${ways[service]}; ${from} found none either${name}`
      : `${from} did not give any${name}`
    throw new UploadError('PAWL_CREDENTIALS', `No credentials: ${text}.`)
  })
  const inWords: { [Any in Service]: (key: FoundKey) => CredentialsOf[Any] } = {
    s3: ({ id, secret, token, expiration }) => ({
      accessKeyId: id,
      secretAccessKey: secret,
      ...(token === undefined ? {} : { sessionToken: token }),
      ...(expiration === undefined ? {} : { expiration }),
    }),
    oss: ({ id, secret, token, expiration }) => ({
      accessKeyId: id,
      accessKeySecret: secret,
      ...(token === undefined ? {} : { securityToken: token }),
      ...(expiration === undefined ? {} : { expiration }),
    }),
  }
  return inWords[service](key)
}

const ways: Record<Service, string> = {
  oss: 'set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, or keep them in ~/.ossutilconfig or ~/.aliyun/config.json',
  s3: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or keep them in a profile of ~/.aws (aws configure)',
}

function noCredentials(service: Service, { unused }: Found): UploadError {
  const seen = unused.map(
    ({ what, needs }) => `${what} is there; to use it: ${needs}`,
  )
  const text = seen.length > 0 ? seen.join('; ') : ways[service]
  return new UploadError('PAWL_CREDENTIALS', `No credentials: ${text}.`)
}

async function readIfAny(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new UploadError(
      'PAWL_CREDENTIALS',
      `${path} cannot be read: ${code}.`,
    )
  }
}
