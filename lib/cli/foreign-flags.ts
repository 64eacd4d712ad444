/**
 * Flags that mean nothing to the service of the URL. Dropped in silence they
 * would look as if they had been obeyed. Pure.
 */
import { UploadError } from '../index.js'

export type Service = 'oss' | 's3'

const services: Partial<Record<string, Service>> = {
  trafficLimit: 'oss',
  sequential: 'oss',
  internal: 'oss',
  accelerate: 'oss',
  checksum: 's3',
  equalParts: 's3',
  signature: 'oss',
  dataEncryption: 'oss',
  customerKey: 's3',
  callbackUrl: 'oss',
  callbackBody: 'oss',
  callbackBodyType: 'oss',
  callbackHost: 'oss',
  callbackVar: 'oss',
}

/** Flags whose place in a local URL is taken by the URL itself. */
const inLocalUrl = [
  'endpoint',
  'internal',
  'accelerate',
  'addressing',
  'profile',
  'credentialProcess',
  'signature',
  'identity',
]

/** Throws `PAWL_INVALID_OPTION` for the first of them. */
export function refuseForeignFlags(
  flags: object,
  { service, isLocal }: { service: Service; isLocal: boolean },
): void {
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined) continue
    const only = services[name]
    if (only !== undefined && only !== service) {
      refuse(`${flagOf(name)} is for ${only}:// URLs; leave it out`)
    }
    if (isLocal && inLocalUrl.includes(name)) {
      refuse(`${flagOf(name)} does not go with an http:// URL, which says it`)
    }
  }
}

/** As it is written on the command line. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

function refuse(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
