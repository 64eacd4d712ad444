/**
 * Keys of the caller's own (SSE-C). S3 keeps none of them: each request that
 * touches the bytes brings it again, and its MD5 tells whether it is the one.
 * Nothing is encrypted here, and the key is not kept either. Unlike S3 this server
 * takes keys without TLS, which it does not have.
 */
import { createHash } from 'node:crypto'
import type { ObjectSettings } from '../storage/records.js'
import { apiError, invalidArgument } from '../wire/api-error.js'
import { ownHeader, type Context } from './context.js'

const common = 'server-side-encryption'
const argument = `x-amz-${common}`
/** AES-256. */
const keyBytes = 32
const mustProvide =
  'Requests specifying Server Side Encryption with Customer provided keys must provide'

/** What a request says of a key, for what it writes or for what it copies. */
type KeyOf = '' | 'copy-source-'

/**
 * The MD5 of the key that a request brings, in base64; undefined without one.
 * Throws what S3 says of a key that is none.
 */
export function readCustomerKey(
  context: Context,
  keyOf: KeyOf = '',
): string | undefined {
  if (context.dialect.name !== 's3') return undefined
  const own = (name: string) =>
    ownHeader(context, `${keyOf}${common}-customer-${name}`)
  const [algorithm, key, md5] = [own('algorithm'), own('key'), own('key-md5')]
  if (algorithm === undefined && key === undefined && md5 === undefined) {
    return undefined
  }
  if (keyOf === '' && ownHeader(context, common) !== undefined) {
    refuse(
      'Server Side Encryption with Customer provided key is incompatible with the encryption method specified',
    )
  }
  if (algorithm === undefined) {
    refuse(`${mustProvide} a valid encryption algorithm.`)
  }
  if (algorithm !== 'AES256') {
    apiError('InvalidEncryptionAlgorithmError', {
      message:
        'The Encryption request you specified is not valid. Supported value: AES256.',
      extra: { ArgumentName: argument, ArgumentValue: algorithm },
    })
  }
  if (key === undefined) refuse(`${mustProvide} an appropriate secret key.`)
  if (md5 === undefined) {
    refuse(`${mustProvide} the client calculated MD5 of the secret key.`)
  }
  return checked(key, md5)
}

/** S3 looks at the MD5 before the length. */
function checked(key: string, md5: string): string {
  const bytes = Buffer.from(key, 'base64')
  const calculated = createHash('md5').update(bytes).digest('base64')
  if (calculated !== md5) {
    refuse(
      'The calculated MD5 hash of the key did not match the hash that was provided.',
    )
  }
  if (bytes.length !== keyBytes) {
    refuse('The secret key was invalid for the specified algorithm.')
  }
  return calculated
}

function refuse(message: string): never {
  return invalidArgument(argument, 'null', message)
}

/** Throws unless the request has the key to an object, where it needs one. */
export function requireKey(
  context: Context,
  { customerKeyMd5 }: ObjectSettings,
  keyOf: KeyOf = '',
): void {
  const given = readCustomerKey(context, keyOf)
  if (given === customerKeyMd5) return
  if (given === undefined) {
    apiError('InvalidRequest', {
      message:
        'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.',
    })
  }
  if (customerKeyMd5 === undefined) {
    apiError('InvalidRequest', {
      message: 'The encryption parameters are not applicable to this object.',
    })
  }
  apiError('AccessDenied', {
    message: `${mustProvide} the correct secret key.`,
  })
}

/** Throws unless a part comes with the key that its upload was begun with. */
export function requireUploadKey(
  context: Context,
  { customerKeyMd5 }: ObjectSettings,
): void {
  const given = readCustomerKey(context)
  if (given === customerKeyMd5) return
  apiError('InvalidRequest', {
    message:
      given === undefined || customerKeyMd5 === undefined
        ? 'The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.'
        : 'The provided encryption parameters did not match the ones used originally.',
  })
}

/** Lists of parts and Complete may leave a key out that they need not. */
export function checkUploadKey(
  context: Context,
  settings: ObjectSettings,
): void {
  if (readCustomerKey(context) !== undefined)
    requireUploadKey(context, settings)
}

/** What answers say of it: never the key. */
export function customerKeyReply({
  customerKeyMd5,
}: ObjectSettings): Record<string, string> {
  return customerKeyMd5 === undefined
    ? {}
    : {
        [`${argument}-customer-algorithm`]: 'AES256',
        [`${argument}-customer-key-md5`]: customerKeyMd5,
      }
}
