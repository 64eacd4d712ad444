import { invalidOption } from '../errors.js'
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import { isLoopback } from './loopback.js'
import type { DevServerCredentials, DevServerOptions } from './options.js'

/** The key that is accepted when none is given: it is in the documentation. */
export const publicKey: DevServerCredentials = {
  accessKeyId: 'dev',
  accessKeySecret: 'dev-secret',
}

/** Could anybody sign with it? */
export function isPublicKey({
  accessKeySecret,
}: DevServerCredentials = publicKey): boolean {
  return accessKeySecret === publicKey.accessKeySecret
}

const names: NamesOf<DevServerOptions> = {
  allowRemote: true,
  buckets: true,
  bytesPerSecond: true,
  clockOffset: true,
  credentials: true,
  digests: true,
  directory: true,
  discard: true,
  equalParts: true,
  fault: true,
  host: true,
  hosts: true,
  keepRequests: true,
  maxPageSize: true,
  minPartSize: true,
  onWarning: true,
  port: true,
  region: true,
}

/** Throws `PAWL_INVALID_OPTION` for what makes no sense, or is not safe. */
export function checkOptions(options: DevServerOptions): void {
  checkKnownOptions(options, {
    of: 'startDevServer',
    names: Object.keys(names),
  })
  const { bytesPerSecond, minPartSize, maxPageSize = 1000, port = 0 } = options
  const { host = '127.0.0.1' } = options
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    invalidOption(`port: ${port} is no port`)
  }
  if (options.allowRemote !== true && !isLoopback(host)) {
    invalidOption(
      `host: ${host} is not loopback; give allowRemote to serve other machines`,
    )
  }
  if (options.allowRemote === true && isPublicKey(options.credentials)) {
    invalidOption(
      'credentials: with allowRemote a key of your own is needed; everybody knows the default one',
    )
  }
  if (bytesPerSecond !== undefined && !(bytesPerSecond > 0)) {
    invalidOption(`bytesPerSecond: ${bytesPerSecond} is not above 0`)
  }
  if (minPartSize !== undefined && !(minPartSize >= 0)) {
    invalidOption(`minPartSize: ${minPartSize} is below 0`)
  }
  if (!(maxPageSize >= 1 && maxPageSize <= 1000)) {
    invalidOption(`maxPageSize: ${maxPageSize} is not from 1 to 1000`)
  }
}
