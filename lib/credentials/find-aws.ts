/**
 * Where credentials for S3 are, in the order of the AWS tools: a profile that was
 * asked for, the environment, the profile that is the default, and what only
 * AWS's own package knows how to get.
 */
import { join } from 'node:path'
import { UploadError } from '../errors.js'
import { awsProfile, elsewhereIn, type AwsProfile } from './aws-files.js'
import { askProcess } from './credential-process.js'
import {
  named,
  type Found,
  type FoundCredentials,
  type Place,
  type Unused,
} from './defaults.js'
import { awsPackage, loadAwsProvider } from './peers.js'

export async function findAws(place: Place): Promise<Found> {
  const name = place.profile ?? named(place, 'AWS_PROFILE') ?? 'default'
  const profile = await profileOf(place, name)
  if (profile === undefined && name !== 'default') {
    throw new UploadError(
      'PAWL_CREDENTIALS',
      `There is no profile ${JSON.stringify(name)} in ~/.aws/config and ~/.aws/credentials.`,
    )
  }
  const settings = profile?.settings ?? new Map<string, string>()
  const isConfigured =
    named(place, 'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS')?.toLowerCase() !==
    'true'
  const unused: Unused[] = []
  const credentials = await credentialsOf(place, profile, unused)
  return {
    credentials,
    region:
      named(place, 'AWS_REGION', 'AWS_DEFAULT_REGION') ??
      settings.get('region'),
    endpoint: isConfigured
      ? (named(place, 'AWS_ENDPOINT_URL_S3') ??
        settings.get('s3.endpoint_url') ??
        named(place, 'AWS_ENDPOINT_URL') ??
        settings.get('endpoint_url'))
      : undefined,
    ca: named(place, 'AWS_CA_BUNDLE') ?? settings.get('ca_bundle'),
    unused,
  }
}

async function profileOf(
  place: Place,
  name: string,
): Promise<AwsProfile | undefined> {
  const { home, read } = place
  const file = (variable: string, own: string): string =>
    named(place, variable) ?? join(home, '.aws', own)
  return awsProfile(
    {
      config: await read(file('AWS_CONFIG_FILE', 'config')),
      credentials: await read(
        file('AWS_SHARED_CREDENTIALS_FILE', 'credentials'),
      ),
    },
    name,
  )
}

async function credentialsOf(
  place: Place,
  profile: AwsProfile | undefined,
  unused: Unused[],
): Promise<FoundCredentials | undefined> {
  const ofEnvironment = inEnvironment(place)
  if (place.profile === undefined && ofEnvironment !== undefined) {
    return ofEnvironment
  }
  const ofProfile = profile && inProfile(place, profile)
  if (ofProfile !== undefined) return ofProfile
  const seen = elsewhere(place, profile)
  const get = await loadAwsProvider(place.profile ?? profile?.name)
  if (get !== undefined) {
    return { from: seen ?? awsPackage, get, isGuess: seen === undefined }
  }
  if (seen !== undefined) {
    unused.push({ what: seen, needs: `npm install ${awsPackage}` })
  }
  return undefined
}

function inEnvironment(place: Place): FoundCredentials | undefined {
  const id = named(place, 'AWS_ACCESS_KEY_ID')
  const secret = named(place, 'AWS_SECRET_ACCESS_KEY')
  if (id === undefined || secret === undefined) return undefined
  const token = named(place, 'AWS_SESSION_TOKEN')
  const from = 'AWS_ACCESS_KEY_ID in the environment'
  return { from, get: async () => ({ id, secret, token }) }
}

function inProfile(
  place: Place,
  { name, settings, file }: AwsProfile,
): FoundCredentials | undefined {
  const from = `the profile ${name} of ~/.aws/${file}`
  // With a role the keys of the profile are what the role is asked for with.
  if (elsewhereIn(settings) !== undefined) return undefined
  if (settings.has('aws_access_key_id')) {
    return {
      from,
      async get() {
        // Tools for temporary keys write the file anew.
        const now = (await profileOf(place, name))?.settings ?? settings
        return {
          id: now.get('aws_access_key_id') ?? '',
          secret: now.get('aws_secret_access_key') ?? '',
          token: now.get('aws_session_token') ?? now.get('aws_security_token'),
        }
      },
    }
  }
  const command = settings.get('credential_process')
  if (command === undefined) return undefined
  const asked = `credential_process of ${from}`
  return { from: asked, get: () => askProcess(command, asked) }
}

/** What AWS's package would use, as far as can be seen without asking anybody. */
function elsewhere(
  place: Place,
  profile: AwsProfile | undefined,
): string | undefined {
  if (profile !== undefined) {
    const how = elsewhereIn(profile.settings)
    if (how !== undefined) return `the profile ${profile.name}, which ${how}`
  }
  for (const [variable, what] of [
    ['AWS_WEB_IDENTITY_TOKEN_FILE', 'a web identity'],
    ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', "a container's role"],
    ['AWS_CONTAINER_CREDENTIALS_FULL_URI', "a container's role"],
  ] as const) {
    if (named(place, variable) !== undefined) return `${what} (${variable})`
  }
  return undefined
}
