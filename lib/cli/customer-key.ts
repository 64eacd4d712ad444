/**
 * A key of one's own for the object (SSE-C): of a file, or of the environment,
 * never of the command line, which others see in the list of processes.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { reasonOf } from '../realm.js'
import { UploadError } from '../index.js'
import type { Service } from './foreign-flags.js'
import type { Environment } from './state-directory.js'

/** In base64. */
const customerKeyVariable = 'PAWL_CUSTOMER_KEY'

/** AES-256. */
const keyBytes = 32
const header = 'x-amz-server-side-encryption-customer-'

/**
 * Undefined without a key. Rejects with `PAWL_INVALID_OPTION`, whose text says
 * nothing of the key; a key that cannot be used must not leave the object in clear.
 */
export async function customerKeyHeaders(
  path: string | undefined,
  service: Service,
  environment: Environment,
): Promise<Record<string, string> | undefined> {
  const variable = environment[customerKeyVariable] || undefined
  const from = path === undefined ? customerKeyVariable : '--customer-key'
  if (path === undefined && variable === undefined) return undefined
  if (service !== 's3') {
    refuse(`${from} is for s3:// URLs: OSS takes no keys of one's own`)
  }
  const bytes =
    path === undefined ? Buffer.from(variable ?? '') : await read(path)
  const key = bytes.length === keyBytes ? bytes : decoded(bytes)
  if (key === undefined) {
    refuse(`${from}: expected a key of 32 bytes, as they are or in base64`)
  }
  return {
    [`${header}algorithm`]: 'AES256',
    [`${header}key`]: key.toString('base64'),
    [`${header}key-md5`]: createHash('md5').update(key).digest('base64'),
  }
}

function decoded(bytes: Buffer): Buffer | undefined {
  const text = bytes.toString('latin1').trim()
  const key = Buffer.from(text, 'base64')
  const isExact = key.toString('base64') === text
  return isExact && key.length === keyBytes ? key : undefined
}

async function read(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    const why = reasonOf(cause)
    return refuse(`--customer-key: ${path} cannot be read: ${why}`)
  })
}

function refuse(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
