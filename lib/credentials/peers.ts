/**
 * The vendors' own packages, which know roles, SSO, web identity and the servers
 * for tokens. They are large, so pawl does not bring them: they are used where
 * they are installed beside it.
 */
import { requireOrImport } from '../own-require.js'
import { systemCode } from '../realm.js'
import type { FoundKey } from './defaults.js'

export const awsPackage = '@aws-sdk/credential-provider-node'
export const alibabaPackage = '@alicloud/credentials'

/** ms after which a package is asked again that does not say when a key ends. */
const trusted = 5 * 60_000

/** Spelled out: users' compilers need not have the packages. */
interface AwsKey {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
  expiration?: Date
}

interface AlibabaKey {
  accessKeyId?: string
  accessKeySecret?: string
  securityToken?: string
}

/** Undefined when the package is not installed. */
export async function loadAwsProvider(
  profile: string | undefined,
): Promise<(() => Promise<FoundKey>) | undefined> {
  const loaded = await load(awsPackage)
  const make: unknown = loaded && Reflect.get(loaded, 'defaultProvider')
  if (typeof make !== 'function') return undefined
  // The package's own type, without the package.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const ask = make(
    profile === undefined ? {} : { profile },
  ) as () => Promise<AwsKey>
  return async () => {
    const key = await ask()
    return {
      id: key.accessKeyId,
      secret: key.secretAccessKey,
      token: key.sessionToken,
      expiration: key.expiration,
    }
  }
}

/** The same for Alibaba Cloud. */
export async function loadAlibabaProvider(): Promise<
  (() => Promise<FoundKey>) | undefined
> {
  const loaded = await load(alibabaPackage)
  const Client = loaded && constructorIn(loaded)
  if (Client === undefined) return undefined
  const client = new Client()
  return async () => {
    const key = await client.getCredential()
    return {
      id: key.accessKeyId ?? '',
      secret: key.accessKeySecret ?? '',
      token: key.securityToken === '' ? undefined : key.securityToken,
      expiration: Date.now() + trusted,
    }
  }
}

type AlibabaClient = new () => { getCredential(): Promise<AlibabaKey> }

/** The package is CommonJS, with a default export of its own. */
function constructorIn(loaded: object): AlibabaClient | undefined {
  let found: unknown = loaded
  for (let depth = 0; depth < 3; depth++) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    if (typeof found === 'function') return found as AlibabaClient
    if (typeof found !== 'object' || found === null) return undefined
    found = Reflect.get(found, 'default')
  }
  return undefined
}

async function load(name: string): Promise<object | undefined> {
  try {
    const loaded = await requireOrImport(name)
    return typeof loaded === 'object' && loaded !== null ? loaded : undefined
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
      return undefined
    }
    throw error
  }
}
