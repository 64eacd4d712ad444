/**
 * The files of the tools for Alibaba Cloud: `~/.ossutilconfig` of ossutil 1 and 2,
 * and `~/.aliyun/config.json` of the aliyun command. Pure.
 */
import { parseIni } from './ini-file.js'

export interface AlibabaProfile {
  name: string
  /** As `config.json` spells it: `AK`, `StsToken`, `External` or another. */
  mode: string
  id: string | undefined
  secret: string | undefined
  token: string | undefined
  /** The command of `External`. */
  command: string | undefined
  region: string | undefined
  endpoint: string | undefined
}

/** Undefined when the file has no such profile. */
export function ossutilProfile(
  text: string,
  name: string | undefined,
): AlibabaProfile | undefined {
  const file = parseIni(text)
  const section =
    name === undefined
      ? (file.get('Credentials') ?? file.get('default'))
      : (file.get(`profile ${name}`) ?? file.get(name))
  if (section === undefined) return undefined
  const get = (...keys: readonly string[]): string | undefined =>
    keys
      .map((key) => section.get(key))
      .find((value) => value !== undefined && value !== '')
  const token = get('ststoken', 'sts-token', 'securitytoken')
  return {
    name: name ?? 'default',
    mode: get('mode') ?? (token === undefined ? 'AK' : 'StsToken'),
    id: get('accesskeyid', 'access-key-id'),
    secret: get('accesskeysecret', 'access-key-secret'),
    token,
    command: undefined,
    region: get('region'),
    endpoint: get('endpoint'),
  }
}

/** Undefined when the file has no such profile; throws for what is no JSON. */
export function aliyunProfile(
  text: string,
  name: string | undefined,
): AlibabaProfile | undefined {
  const file: unknown = JSON.parse(text)
  const wanted = name ?? textIn(file, 'current') ?? 'default'
  const profiles: unknown =
    typeof file === 'object' && file !== null
      ? Reflect.get(file, 'profiles')
      : undefined
  const found: unknown = Array.isArray(profiles)
    ? profiles.find((profile) => textIn(profile, 'name') === wanted)
    : undefined
  if (found === undefined) return undefined
  return {
    name: wanted,
    mode: textIn(found, 'mode') ?? 'AK',
    id: textIn(found, 'access_key_id'),
    secret: textIn(found, 'access_key_secret'),
    token: textIn(found, 'sts_token'),
    command: textIn(found, 'process_command'),
    region: textIn(found, 'region_id'),
    endpoint: undefined,
  }
}

function textIn(value: unknown, name: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const found: unknown = Reflect.get(value, name)
  return typeof found === 'string' && found !== '' ? found : undefined
}
