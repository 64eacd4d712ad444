/**
 * What to do about a failure, in a sentence or two. What the server or the
 * system said decides, where it said something; else the code does. Pure.
 */
import { isError, systemCode } from '../realm.js'
import type { ErrorCode, UploadError } from '../index.js'

/** By the server's own code. */
const ofServer: Partial<Record<string, string>> = {
  ExpiredToken: 'The session token has expired: get new credentials.',
  SecurityTokenExpired: 'The session token has expired: get new credentials.',
  TokenRefreshRequired: 'The session token has expired: get new credentials.',
  InvalidToken:
    'The session token is not one of this service: get new credentials, and take all three parts of them.',
  InvalidSecurityToken:
    'The session token is not one of this service: get new credentials, and take all three parts of them.',
  AccessKeyIdAndSecurityTokenNotMatch:
    'The session token belongs to another access key: take all three parts of the same credentials.',
  InvalidAccessKeyId:
    'Credentials were found, but this server does not know the access key: check that they are for this endpoint, and that the key is not disabled.',
  SignatureDoesNotMatch:
    'The secret does not belong to the access key, or the region is wrong: check both.',
  AccessDenied:
    'The credentials are known here, but may not do this: have it allowed (PutObject, AbortMultipartUpload and ListParts are needed for the object), or take other credentials.',
  AllAccessDisabled: 'The bucket or its account has been shut off.',
  UserDisable: 'The account is shut off; see its overdue payments.',
  InDebt: 'The account is in debt; see its overdue payments.',
  InDebtOverdue: 'The account is in debt; see its overdue payments.',
  RequestTimeTooSkewed:
    "This machine's clock is wrong by more than 15 minutes: set it.",
}

const untrusted =
  "The server's certificate is not signed by an authority that is trusted here: give the file of that authority with --ca FILE or AWS_CA_BUNDLE."
const unreachable =
  'The network does not lead there: check it, the firewall and the VPN; where a proxy is needed, give --proxy or set HTTPS_PROXY.'
/** So is plain HTTP by most servers that speak TLS. */
const cutOff =
  'The connection was cut: check the network, and the endpoint: where TLS is spoken it begins with https://.'

/** By what the system, or Node, said of the connection. */
const ofSystem: Partial<Record<string, string>> = {
  ENOTFOUND:
    'There is no host of that name: check the bucket, the region and the endpoint, and the proxy if one is set.',
  EAI_AGAIN: 'Names cannot be looked up now: check the network and DNS.',
  ECONNREFUSED:
    'Nothing listens there: check the port and the endpoint, and the proxy if one is set.',
  ECONNRESET: cutOff,
  EPIPE: cutOff,
  UND_ERR_SOCKET: cutOff,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ENETDOWN: unreachable,
  ETIMEDOUT: unreachable,
  EPROTO:
    'No TLS is spoken there: where that is meant, write http:// in the endpoint.',
  ERR_SSL_WRONG_VERSION_NUMBER:
    'No TLS is spoken there: where that is meant, write http:// in the endpoint.',
  ERR_SSL_PACKET_LENGTH_TOO_LONG:
    'No TLS is spoken there: where that is meant, write http:// in the endpoint.',
  HPE_INVALID_CONSTANT:
    'No HTTP is spoken there: check the port, and write https:// in the endpoint where TLS is spoken.',
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  CERT_HAS_EXPIRED:
    "The server's certificate has expired, or this machine's clock is wrong.",
  CERT_NOT_YET_VALID:
    "The server's certificate is not valid yet, or this machine's clock is wrong.",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "The server's certificate is for another name: check the endpoint; a bucket with dots needs --addressing path.",
}

/** It stands for itself: the same command again would be refused again. */
export const fewerParts =
  'The parts before it were taken. Where this server takes no more of them, say with --max-parts how many it takes: the upload begins anew, in larger ones. Of a stream say the --size as well, or a larger --part-size.'
const proxyAuth =
  'The proxy wants a name and a password, or other ones: put them into its URL, http://name:password@host:port, in HTTPS_PROXY.'
const unwritable = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR'])
const elsewhere =
  'Give --checkpoint-dir a directory that can be written, or --no-checkpoint to go without a log.'

const ofCode: Partial<Record<ErrorCode, string>> = {
  PAWL_NETWORK: 'Check the network and the endpoint.',
  PAWL_ACCESS_DENIED: 'Check the credentials, and what they are allowed.',
  PAWL_NO_SUCH_BUCKET: 'Check the URL, the region and the endpoint.',
  PAWL_ALREADY_EXISTS: 'Give another key, or leave out --forbid-overwrite.',
  PAWL_CHECKPOINT_LOCKED:
    'Another command is uploading this; let it finish, or stop it.',
  PAWL_NOT_A_CHECKPOINT:
    'Give another --checkpoint; this file was not touched.',
  PAWL_SIZE_MISMATCH:
    'The source ended early, or --size is wrong. Run the command again with the whole source.',
  PAWL_BEFORE_COMPLETE:
    'Nothing was completed. Run the same command again once the source is whole.',
}

/** Undefined where the failure itself says enough. */
export function adviceFor(error: UploadError): string | undefined {
  const { code, serverCode = '', status, partNumber = 0 } = error
  if (Object.hasOwn(ofServer, serverCode)) return ofServer[serverCode]
  if (serverCode === 'InvalidArgument' && partNumber > 1) return fewerParts
  // Stores have words of their own for it; a proxy that answers in their place has not.
  if (serverCode === '' && (status === 401 || status === 407)) return proxyAuth
  const causes = causesOf(error)
  if (status === undefined) {
    // What undici says of a proxy has no code of its own.
    if (causes.some(({ message }) => /proxy.*\b40[17]\b/i.test(message))) {
      return proxyAuth
    }
    const system = causes
      .map((cause) => systemCode(cause))
      .find((known) => Object.hasOwn(ofSystem, known))
    if (code === 'PAWL_NETWORK' && system !== undefined) return ofSystem[system]
  }
  const isUnwritable =
    code === 'PAWL_CHECKPOINT_IO' &&
    causes.some((cause) => unwritable.has(systemCode(cause)))
  return isUnwritable ? elsewhere : ofCode[code]
}

/** What it came from, and what that came from. */
function causesOf({ cause }: Error): Error[] {
  return isError(cause) ? [cause, ...causesOf(cause)] : []
}
