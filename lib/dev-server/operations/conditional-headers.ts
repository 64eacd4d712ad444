import { apiError } from '../wire/api-error.js'
import type { Dialect } from '../wire/dialect.js'
import { header } from '../wire/request-head.js'
import type { Conditions } from './conditions.js'
import type { Context, KnownOperation } from './context.js'

const names = [
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
] as const

type ConditionalHeader = (typeof names)[number]
type Understood = Partial<Record<KnownOperation, readonly ConditionalHeader[]>>

const ofReads: Understood = {
  GetObject: names,
  HeadObject: names,
}

/** Which calls understand which conditional headers; the rest do not. */
const understood: Readonly<Record<Dialect['name'], Understood>> = {
  oss: {
    ...ofReads,
    // ali-oss says its conditions on the source once more under these names, and
    // the service looks at the others.
    CopyObject: names,
  },
  s3: {
    ...ofReads,
    PutObject: ['if-match', 'if-none-match'],
    CopyObject: ['if-match', 'if-none-match'],
    CompleteMultipartUpload: ['if-match', 'if-none-match'],
    DeleteObject: ['if-match'],
  },
}

/** Headers that make another call of a known one; none of them is understood. */
const otherCalls = [
  'x-amz-if-match-last-modified-time',
  'x-amz-if-match-size',
  'x-amz-write-offset-bytes',
]

/**
 * Refuses a request with a condition that its call does not understand: it would
 * be done where its sender wants it left undone.
 */
export function checkHeaders({ head, dialect, operation }: Context): void {
  const known = understood[dialect.name][operation] ?? []
  const unknown = names.filter((name) => !known.includes(name))
  for (const name of [...unknown, ...otherCalls]) {
    if (header(head.headers, name) !== undefined) {
      refuseHeader(dialect, name)
    }
  }
}

/** What both servers say of a header; OSS answers it as a bad request. */
export function refuseHeader(dialect: Dialect, name: string): never {
  return apiError('NotImplemented', {
    message:
      'A header you provided implies functionality that is not implemented.',
    extra: { Header: name.replaceAll(/(^|-)[a-z]/g, (c) => c.toUpperCase()) },
    ...(dialect.name === 'oss' ? { status: 400, ec: '0017-00000245' } : {}),
  })
}

/** The conditions of a request, or with a prefix those on what it copies. */
export function readConditions({ head }: Context, prefix = ''): Conditions {
  const get = (name: ConditionalHeader): string | undefined =>
    header(head.headers, prefix + name)
  return {
    ifMatch: get('if-match'),
    ifNoneMatch: get('if-none-match'),
    ifModifiedSince: get('if-modified-since'),
    ifUnmodifiedSince: get('if-unmodified-since'),
  }
}
