/**
 * Where credentials for OSS are: a profile that was asked for, the environment,
 * the files of ossutil and of the aliyun command, and what only Alibaba Cloud's
 * own package knows how to get.
 */
import { join } from 'node:path'
import { UploadError } from '../errors.js'
import {
  aliyunProfile,
  ossutilProfile,
  type AlibabaProfile,
} from './alibaba-files.js'
import { askProcess } from './credential-process.js'
import {
  named,
  type Found,
  type FoundCredentials,
  type Place,
  type Unused,
} from './defaults.js'
import { alibabaPackage, loadAlibabaProvider } from './peers.js'

export async function findAlibaba(place: Place): Promise<Found> {
  const profiles = await profilesOf(place)
  if (place.profile !== undefined && profiles.length === 0) {
    throw new UploadError(
      'PAWL_CREDENTIALS',
      `There is no profile ${JSON.stringify(place.profile)} in ~/.ossutilconfig and ~/.aliyun/config.json.`,
    )
  }
  const unused: Unused[] = []
  const { profile, credentials } = await credentialsOf(place, profiles, unused)
  return {
    credentials,
    region:
      named(place, 'OSS_REGION', 'ALIBABA_CLOUD_REGION_ID') ?? profile?.region,
    endpoint: named(place, 'OSS_ENDPOINT') ?? profile?.endpoint,
    ca: undefined,
    unused,
  }
}

interface Chosen {
  credentials: FoundCredentials | undefined
  /** The profile that places are read from, used or not. */
  profile?: AlibabaProfile | undefined
}

/** A profile and the file that it is in. */
interface FiledProfile extends AlibabaProfile {
  path: string
  /** As it is now. */
  again: () => Promise<AlibabaProfile | undefined>
}

async function credentialsOf(
  place: Place,
  profiles: readonly FiledProfile[],
  unused: Unused[],
): Promise<Chosen> {
  const [first] = profiles
  const ofEnvironment = inEnvironment(place)
  if (place.profile === undefined && ofEnvironment !== undefined) {
    return { credentials: ofEnvironment, profile: first }
  }
  for (const profile of profiles) {
    const credentials = inProfile(profile)
    if (credentials !== undefined) return { credentials, profile }
  }
  const seen = elsewhere(place, first)
  const get =
    place.profile === undefined ? await loadAlibabaProvider() : undefined
  if (get !== undefined) {
    return {
      credentials: {
        from: seen ?? alibabaPackage,
        get,
        isGuess: seen === undefined,
      },
      profile: first,
    }
  }
  if (seen !== undefined) {
    unused.push({
      what: seen,
      needs:
        place.profile === undefined
          ? `npm install ${alibabaPackage}`
          : `npm install ${alibabaPackage}, and ALIBABA_CLOUD_PROFILE instead of --profile`,
    })
  }
  return { credentials: undefined, profile: first }
}

function inEnvironment(place: Place): FoundCredentials | undefined {
  for (const prefix of ['OSS_', 'ALIBABA_CLOUD_']) {
    const id = named(place, `${prefix}ACCESS_KEY_ID`)
    const secret = named(place, `${prefix}ACCESS_KEY_SECRET`)
    if (id === undefined || secret === undefined) continue
    const token = named(
      place,
      prefix === 'OSS_' ? 'OSS_SESSION_TOKEN' : 'ALIBABA_CLOUD_SECURITY_TOKEN',
    )
    const from = `${prefix}ACCESS_KEY_ID in the environment`
    return { from, get: async () => ({ id, secret, token }) }
  }
  return undefined
}

async function profilesOf(place: Place): Promise<FiledProfile[]> {
  const { home, read } = place
  const name = place.profile ?? named(place, 'ALIBABA_CLOUD_PROFILE')
  const files = [
    {
      path: named(place, 'OSSUTIL_CONFIG_FILE') ?? join(home, '.ossutilconfig'),
      parse: (text: string) => ossutilProfile(text, place.profile),
    },
    {
      path: join(home, '.aliyun', 'config.json'),
      parse: (text: string) => aliyunProfile(text, name),
    },
  ]
  const found = await Promise.all(
    files.map(async ({ path, parse }) => {
      const again = async (): Promise<AlibabaProfile | undefined> => {
        const text = await read(path)
        return text === undefined ? undefined : parsed(text, path, parse)
      }
      const profile = await again()
      return profile === undefined ? [] : [{ ...profile, path, again }]
    }),
  )
  return found.flat()
}

function parsed(
  text: string,
  path: string,
  parse: (text: string) => AlibabaProfile | undefined,
): AlibabaProfile | undefined {
  try {
    return parse(text)
  } catch {
    // What a parser says may quote the file.
    throw new UploadError(
      'PAWL_CREDENTIALS',
      `${path} is not the JSON that it should be.`,
    )
  }
}

function inProfile(profile: FiledProfile): FoundCredentials | undefined {
  const { name, mode, path, command, again } = profile
  const from = `the profile ${name} of ${path}`
  if (/^external$/i.test(mode) && command !== undefined) {
    const asked = `process_command of ${from}`
    return { from: asked, get: () => askProcess(command, asked) }
  }
  if (!/^(?:ak|ststoken)$/i.test(mode)) return undefined
  if (profile.id === undefined || profile.secret === undefined) return undefined
  return {
    from,
    async get() {
      const { id = '', secret = '', token } = (await again()) ?? profile
      return { id, secret, token }
    },
  }
}

/** What Alibaba Cloud's package would use, as far as can be seen. */
function elsewhere(
  place: Place,
  profile: FiledProfile | undefined,
): string | undefined {
  for (const [variable, what] of [
    ['ALIBABA_CLOUD_OIDC_TOKEN_FILE', 'a role by OIDC'],
    ['ALIBABA_CLOUD_CREDENTIALS_URI', 'a server of credentials'],
    ['ALIBABA_CLOUD_ECS_METADATA', "an instance's role"],
  ] as const) {
    if (named(place, variable) !== undefined) return `${what} (${variable})`
  }
  if (profile === undefined || /^(?:ak|ststoken)$/i.test(profile.mode)) {
    return undefined
  }
  const { name, mode, path } = profile
  return `the profile ${name} of ${path}, whose mode is ${mode}`
}
