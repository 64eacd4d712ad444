import { timingSafeEqual } from 'node:crypto'
import type { DevServerOptions } from '../options.js'
import { apiError } from '../wire/api-error.js'
import { dialects, type Dialect } from '../wire/dialect.js'
import { header, type RequestHead } from '../wire/request-head.js'
import { claimAwsV4 } from './aws-v4.js'
import type { Claim, Signed } from './claim.js'
import { claimOssV1 } from './oss-v1.js'
import { claimOssV4 } from './oss-v4.js'

/** The keys that are accepted, and those that were until lately. */
export interface Keyring {
  readonly current: NonNullable<DevServerOptions['credentials']>
  /** Tokens that have been replaced: they have expired. */
  readonly retiredTokens: ReadonlySet<string>
  /** When given, signatures have to name it. */
  readonly region: string | undefined
}

const maxSkew = 15 * 60_000

/** Which protocol a request speaks; looks at nothing but its head. */
export function dialectOf({ headers, query }: RequestHead): Dialect {
  const authorization = header(headers, 'authorization') ?? ''
  if (authorization !== '') {
    return authorization.startsWith('AWS') ? dialects.s3 : dialects.oss
  }
  const names = [...Object.keys(headers), ...query.pairs.map(([name]) => name)]
  return names.some((name) => name.toLowerCase().startsWith('x-amz-'))
    ? dialects.s3
    : dialects.oss
}

/** The claim of a request whose signature holds; throws the refusal if not. */
export function authenticate(
  head: RequestHead,
  dialect: Dialect,
  keyring: Keyring,
  now: number,
): Claim {
  const claim = claimAwsV4(head) ?? claimOssV4(head) ?? claimOssV1(head)
  if (claim === undefined) apiError('AccessDenied')
  checkKey(claim, dialect, keyring)
  checkRegion(claim, dialect, keyring.region)
  checkTime(claim, now)
  const signed = claim.sign(keyring.current.accessKeySecret)
  if (!equal(signed.signature, claim.signature)) {
    signatureMismatch(claim, dialect, signed)
  }
  return claim
}

function checkKey(claim: Claim, dialect: Dialect, keyring: Keyring): void {
  const { current, retiredTokens } = keyring
  const isS3 = dialect.name === 's3'
  if (claim.token !== undefined && claim.token !== current.securityToken) {
    const extra = { SecurityToken: claim.token }
    if (retiredTokens.has(claim.token)) {
      apiError(isS3 ? 'ExpiredToken' : 'SecurityTokenExpired', { extra })
    }
    if (claim.accessKeyId === current.accessKeyId) {
      apiError(isS3 ? 'InvalidToken' : 'InvalidSecurityToken', { extra })
    }
  }
  const isKnown =
    claim.accessKeyId === current.accessKeyId &&
    claim.token === current.securityToken
  if (!isKnown) {
    const name = isS3 ? 'AWSAccessKeyId' : 'OSSAccessKeyId'
    apiError('InvalidAccessKeyId', { extra: { [name]: claim.accessKeyId } })
  }
}

function checkRegion(
  claim: Claim,
  dialect: Dialect,
  region: string | undefined,
): void {
  if (claim.region === undefined) return
  const isOss = dialect.name === 'oss'
  const isWrong =
    (isOss && claim.region.startsWith('oss-')) ||
    (region !== undefined && claim.region !== region)
  if (!isWrong) return
  if (isOss) {
    apiError('InvalidArgument', {
      message: 'Invalid signing region in Authorization header.',
      ec: '0002-00000203',
    })
  }
  apiError('AuthorizationHeaderMalformed', {
    message: `The authorization header is malformed; the region '${claim.region}' is wrong; expecting '${region}'`,
    extra: { Region: region ?? '' },
  })
}

function checkTime({ time, expires }: Claim, now: number): void {
  const serverTime = new Date(now).toISOString()
  if (expires !== undefined) {
    if (now > expires) {
      apiError('AccessDenied', {
        message: 'Request has expired.',
        ec: '0002-00000069',
        extra: {
          Expires: new Date(expires).toISOString(),
          ServerTime: serverTime,
        },
      })
    }
    if (time === undefined || time <= now + maxSkew) return
  }
  if (time !== undefined && Math.abs(now - time) > maxSkew) {
    apiError('RequestTimeTooSkewed', {
      extra: {
        MaxAllowedSkewMilliseconds: String(maxSkew),
        RequestTime: new Date(time).toISOString(),
        ServerTime: serverTime,
      },
    })
  }
}

function equal(expected: string, given: string): boolean {
  const a = Buffer.from(expected)
  const b = Buffer.from(given)
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Echoes what was to be signed, as the real servers do. */
function signatureMismatch(
  claim: Claim,
  dialect: Dialect,
  { stringToSign, canonicalRequest }: Signed,
): never {
  const bytes = Buffer.from(stringToSign, 'latin1')
  const name = dialect.name === 's3' ? 'AWSAccessKeyId' : 'OSSAccessKeyId'
  return apiError('SignatureDoesNotMatch', {
    extra: {
      [name]: claim.accessKeyId,
      SignatureProvided: claim.signature,
      StringToSign: bytes.toString(),
      StringToSignBytes: bytes.toString('hex').replaceAll(/..(?!$)/g, '$& '),
      ...(canonicalRequest === undefined
        ? {}
        : {
            CanonicalRequest: Buffer.from(
              canonicalRequest,
              'latin1',
            ).toString(),
          }),
    },
  })
}
