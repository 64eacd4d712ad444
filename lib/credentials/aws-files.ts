/**
 * A profile of `~/.aws/config` and `~/.aws/credentials`, as the AWS tools read
 * it. Pure.
 */
import { parseIni, type IniFile, type IniSection } from './ini-file.js'

export interface AwsProfile {
  name: string
  /** Of both files; what `credentials` says goes first. */
  settings: IniSection
  /** Which file has its keys, or the profile itself. */
  file: 'credentials' | 'config'
}

/** Undefined when neither file has a profile of that name. */
export function awsProfile(
  texts: { config: string | undefined; credentials: string | undefined },
  name: string,
): AwsProfile | undefined {
  const config = parseIni(texts.config ?? '')
  const credentials = parseIni(texts.credentials ?? '')
  const inConfig = sectionOf(config, name)
  const inCredentials = credentials.get(name)
  if (inConfig === undefined && inCredentials === undefined) return undefined
  const settings = new Map([...(inConfig ?? []), ...(inCredentials ?? [])])
  const endpoint = serviceEndpoint(config, settings)
  if (endpoint !== undefined) settings.set('s3.endpoint_url', endpoint)
  const hasKeys = inCredentials?.has('aws_access_key_id') === true
  return {
    name,
    settings,
    file: hasKeys || inConfig === undefined ? 'credentials' : 'config',
  }
}

function sectionOf(config: IniFile, name: string): IniSection | undefined {
  return (
    config.get(`profile ${name}`) ??
    (name === 'default' ? config.get('default') : undefined)
  )
}

/** `services = NAME` leads to a section with an endpoint for S3 alone. */
function serviceEndpoint(
  config: IniFile,
  settings: IniSection,
): string | undefined {
  const services = settings.get('services')
  return services === undefined
    ? undefined
    : config.get(`services ${services}`)?.get('s3.endpoint_url')
}

/** What kind of credentials a profile has, when they are not in the file. */
export function elsewhereIn(settings: IniSection): string | undefined {
  if (settings.has('sso_session') || settings.has('sso_start_url')) {
    return 'signs in by SSO'
  }
  if (settings.has('login_session')) return 'signs in by aws login'
  if (settings.has('web_identity_token_file')) {
    return 'takes a role by web identity'
  }
  return settings.has('role_arn') ? 'takes a role' : undefined
}
