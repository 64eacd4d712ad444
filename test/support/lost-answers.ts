/** Answers that are lost or lie, and what must be true of the object after them. */
import type { Test } from 'tap'
import type {
  Fault,
  Operation,
  SeenRequest,
} from '../../lib/dev-server/index.js'
import type { ObjectStore, UploadStreamOptions } from '../../lib/index.js'
import { key, send, until, type SmallUploads } from './small-upload.js'
import { storeCall } from './store-call.js'

/** Time-outs that end quickly, and not before a busy machine has answered. */
const quick = { connect: 5000, stall: 2500, headers: 2500, complete: 2500 }

/** Quick time-outs for silence alone: any other answer comes, and may come late. */
export function timeoutsFor({ kind }: Fault): Partial<UploadStreamOptions> {
  return kind === 'silence' ? { timeout: quick } : {}
}

/** The first `times` requests of one operation misbehave. */
export function first(
  { server }: SmallUploads,
  operation: Operation,
  fault: Fault,
  times = 1,
): void {
  let left = times
  server.setFault((request) =>
    request.operation === operation && left-- > 0 ? fault : undefined,
  )
}

/** Complete may have gone through, for all that is answered, and no Abort is allowed. */
export function neitherCompletesNorAborts({
  operation,
}: Pick<SeenRequest, 'operation'>): Fault | undefined {
  switch (operation) {
    case 'CompleteMultipartUpload':
      return { kind: 'status', status: 500 }
    case 'AbortMultipartUpload':
      return { kind: 'status', status: 403, code: 'AccessDenied' }
    default:
      return undefined
  }
}

/** Complete goes through, and neither its answer nor a look at the object arrives. */
export function completesUnheard({
  operation,
}: Pick<SeenRequest, 'operation'>): Fault | undefined {
  switch (operation) {
    case 'CompleteMultipartUpload':
      return { kind: 'reply-lost' }
    case 'HeadObject':
      return { kind: 'status', status: 503 }
    default:
      return undefined
  }
}

export async function mustBe(
  t: Test,
  dev: SmallUploads,
  bytes: Buffer,
  name = 'the object is the source',
): Promise<void> {
  t.ok(bytes.equals(await dev.object(key)), name)
  t.notOk(dev.logExists(), 'the log is gone')
}

/** Ends a run when what makes its object has taken effect, unheard. */
export async function endUnheard(
  dev: SmallUploads,
  source: Buffer,
  options: Partial<UploadStreamOptions>,
): Promise<void> {
  const isEnd = (operation: string): boolean =>
    operation === 'PutObject' || operation === 'CompleteMultipartUpload'
  dev.server.setFault(({ operation }) =>
    isEnd(operation) ? { kind: 'silence', apply: true } : undefined,
  )
  const upload = dev.upload(options)
  const sending = send(upload, source).catch(() => undefined)
  await until(() =>
    dev.server.requests.some(
      ({ operation, applied }) => isEnd(operation) && applied,
    ),
  )
  upload.destroy()
  await sending
  dev.server.setFault(undefined)
}

/** Ways to lose the answer to a request that was carried out. */
export const lost: [string, Fault][] = [
  ['reply-lost', { kind: 'reply-lost' }],
  ['reply-cut', { kind: 'reply-cut' }],
  ['silence', { kind: 'silence', apply: true }],
  ['500 after all', { kind: 'status', status: 500, apply: true }],
  [
    '503 after all',
    {
      kind: 'status',
      status: 503,
      code: 'ServiceUnavailable',
      headers: { 'retry-after': '0' },
      apply: true,
    },
  ],
  ['HTML of a proxy', { kind: 'replace-body', body: '<html>hello</html>' }],
]

/** A run that stops when `count` parts are stored. */
export async function suspendAfter(
  dev: SmallUploads,
  bytes: Buffer,
  count: number,
  options: Partial<UploadStreamOptions> = {},
) {
  const upload = dev.upload({ concurrency: 1, ...options })
  let stored = 0
  upload.on('part', () => {
    if (++stored === count) upload.destroy()
  })
  await send(upload, bytes).catch(() => undefined)
  return upload
}

/** With one bit flipped. */
export function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

/** Another client's object, which is of no parts. */
export async function putPlain(
  store: ObjectStore,
  bytes: Buffer,
  mark?: string,
): Promise<void> {
  const { length: size } = bytes
  const body = async function* () {
    yield bytes
  }
  await store.putObject({ key, body, size, object: {}, mark }, storeCall())
}
