/**
 * One object by several machines: whoever holds the log is paused behind each type of
 * record that it writes, until others have followed it and made the object, and wakes
 * then. The object is exactly the bytes that one of them completed, and never an
 * older one's after a newer one's.
 */
import t, { type Test } from 'tap'
import type { Fault } from '../../lib/dev-server/index.js'
import { UploadError, type UploadResult } from '../../lib/index.js'
import {
  beginUpload,
  type BeginUploadOptions,
  type PartReceipt,
  type PartsSource,
  type Ticket,
} from '../../lib/shared/index.js'
import { besideEachOther } from '../support/beside.js'
import { noise } from '../support/dev-store.js'
import { failureIn, key, partSize } from '../support/shared-upload.js'
import { sized } from '../support/tier.js'
import type { LeasedChild } from './support/leased-child.js'
import {
  engineNames,
  startWalks,
  type EngineName,
  type Walk,
} from './support/shared-walk.js'

const walkOn = await startWalks(t)
const test = besideEachOther(t, 16)

const hows = ['the same ID', 'a new ID', 'an Abort that is refused'] as const
type How = (typeof hows)[number]

interface Row {
  record: string
  /** Which of the calls writes it, and is paused behind it. */
  by: 'begins' | 'completes'
  on: readonly EngineName[]
  /** It is written only after something else has happened. */
  isRarer?: true
  /** Why something cannot follow. */
  not?: Partial<Record<How, string>>
}

const noId = 'there is no ID yet: whoever follows begins an upload of its own'
const givenUp = 'this very record gives the ID up'
/** Where the end of a log may be lost an earlier upload is closed only before Complete. */
const canLose: EngineName[] = ['redis', 'bucket']

const table: Row[] = [
  {
    record: 'intent',
    by: 'begins',
    on: engineNames,
    not: { 'the same ID': noId },
  },
  { record: 'upload', by: 'begins', on: engineNames },
  {
    record: 'void',
    by: 'begins',
    on: engineNames,
    isRarer: true,
    not: { 'the same ID': givenUp },
  },
  {
    record: 'closed',
    by: 'begins',
    on: ['postgres'],
    isRarer: true,
    not: { 'the same ID': givenUp },
  },
  { record: 'closed', by: 'completes', on: canLose, isRarer: true },
  { record: 'log', by: 'completes', on: engineNames, isRarer: true },
  { record: 'part', by: 'completes', on: engineNames },
  { record: 'completing', by: 'completes', on: engineNames },
  { record: 'drop', by: 'completes', on: engineNames, isRarer: true },
  { record: 'done', by: 'completes', on: engineNames },
  {
    record: 'told',
    by: 'completes',
    on: engineNames,
    isRarer: true,
    not: {
      'the same ID':
        'behind it nothing is claimed, and the next upload is a new one',
    },
  },
]

/** All in the last tier; before it of the rarer records, and in the bucket, half. */
const isAll = sized({ fast: false, more: false, long: true })

function isPlayed(row: Row, engine: EngineName, how: How, isOther: boolean) {
  if (isAll || (row.isRarer !== true && engine !== 'bucket')) return true
  return (how === 'a new ID') === isOther
}

let combinations = 0
for (const row of table) {
  const { record, by, on, not } = row
  for (const engine of on) {
    for (const how of hows) {
      if (not?.[how] !== undefined) continue
      for (const isOther of [false, true]) {
        combinations++
        if (!isPlayed(row, engine, how, isOther)) continue
        const source = isOther ? 'another source' : 'the same source'
        test(`${engine}: who ${by} is paused behind ${record}, then ${how} and ${source}`, (t) =>
          pauseAndWake(t, { row, engine, how, isOther }))
      }
    }
  }
}
t.comment(`${combinations} combinations exist`)

const denied: Fault = { kind: 'status', status: 403, code: 'AccessDenied' }

interface Played {
  row: Row
  engine: EngineName
  how: How
  isOther: boolean
}

async function pauseAndWake(
  t: Test,
  { row, engine, how, isOther }: Played,
): Promise<void> {
  const walk = await walkOn(t, engine)
  const { s } = walk
  const { child, ticket } = await stoppedBehind(walk, row)
  if (how === 'an Abort that is refused') {
    s.server.setFault(({ operation }) =>
      operation === 'AbortMultipartUpload' ? denied : undefined,
    )
  }
  const other = noise(s.bytes.length, 99)
  const next = await follow(walk, how, isOther ? other : undefined)
  const { code, value } = await child.wake()
  const found = (): Promise<Buffer | undefined> => objectOf(walk)
  if (next instanceof UploadError) {
    t.match(next, { code: 'PAWL_UPLOAD_CONTENDED', transient: false })
    t.equal(how, 'an Abort that is refused')
    const there = await found()
    t.ok(there === undefined || there.equals(s.bytes), 'one machine’s bytes')
    return
  }
  // What is complete takes no other source: who follows is told of the object.
  const isFirsts = !isOther || next.by === 'claim'
  if (next.by === 'claim') t.match(row, { record: 'done' })
  const newest = isFirsts ? s.bytes : other
  t.ok(newest.equals((await found()) ?? Buffer.of()), `newest; woken: ${code}`)
  const refusal =
    row.record === 'drop' ? 'PAWL_COMPLETE_REFUSED' : 'PAWL_CHECKPOINT_LOST'
  if (code !== undefined) t.equal(code, refusal)
  const completes = s
    .seen('CompleteMultipartUpload')
    .filter(({ status }) => status === 200)
  t.ok(completes.length <= 2, `${completes.length} Completes`)
  const old = row.by === 'begins' ? (value as Ticket | undefined) : ticket
  if (old === undefined || old.uploadId === next.uploadId) return
  t.equal(await makesNothing(walk, old), 'PAWL_UPLOAD_GONE')
  t.ok(newest.equals((await found()) ?? Buffer.of()), 'nor by its ticket')
}

/** The machine that is paused, and the ticket that it completes. */
async function stoppedBehind(
  { s, machine, call }: Walk,
  { record, by }: Row,
): Promise<{ child: LeasedChild; ticket: Ticket | undefined }> {
  if (record === 'void' || record === 'closed') {
    await call((checkpoint) => s.begin({ checkpoint, sourceId: 'earlier' }))
  }
  if (by === 'begins') {
    const child = machine([record])
    await child.stopped()
    return { child, ticket: undefined }
  }
  const ticket = await call((checkpoint) => s.begin({ checkpoint }))
  const receipts = await s.send(ticket)
  const isDrop = record === 'drop'
  const child = machine(isDrop ? ['completing', record] : [record], {
    ticket,
    receipts,
    keepsLog: record === 'told',
  })
  await child.stopped()
  if (isDrop) {
    const source = rangesOf(noise(s.bytes.length, 7))
    await s.send(ticket, { source, parts: [2, 2] })
    child.goOn()
    await child.stopped()
  }
  return { child, ticket }
}

type Followed =
  { by: 'claim' | 'parts'; uploadId: string | undefined } | UploadError

/** Others make the object, of the same source or of `other`. */
async function follow(
  { s, call }: Walk,
  how: How,
  other: Buffer | undefined,
): Promise<Followed> {
  const sourceId =
    other === undefined || how === 'the same ID' ? {} : { sourceId: 'v2' }
  const object = how === 'the same ID' ? {} : { contentType: 'text/plain' }
  const { small: store, bytes } = s
  const options: Omit<BeginUploadOptions, 'checkpoint'> = {
    store,
    key,
    partSize,
    size: bytes.length,
    object,
    ...sourceId,
  }
  try {
    const begun = await call((checkpoint) =>
      beginUpload({ ...options, checkpoint }),
    )
    if ('done' in begun) return { by: 'claim', uploadId: begun.done.uploadId }
    const source = other === undefined ? {} : { source: rangesOf(other) }
    const receipts = await s.send(begun, { ...source, ...sourceId })
    const result: UploadResult = await call((checkpoint) =>
      s.complete(begun, receipts, { checkpoint }),
    )
    return { by: 'parts', uploadId: result.uploadId }
  } catch (error) {
    if (error instanceof UploadError) return error
    throw error
  }
}

function rangesOf(bytes: Buffer): PartsSource {
  return async function* (offset, size) {
    yield bytes.subarray(offset, offset + size)
  }
}

/** What comes of a ticket of before, by which somebody sends and completes. */
async function makesNothing(
  { s, call }: Walk,
  ticket: Ticket,
): Promise<string | undefined> {
  let receipts: PartReceipt[]
  try {
    receipts = await s.send(ticket)
  } catch (error) {
    if (error instanceof UploadError) return error.code
    throw error
  }
  // It could not be aborted: its parts are taken, and make no object.
  const completing = call((checkpoint) =>
    s.complete(ticket, receipts, { checkpoint }),
  )
  return (await failureIn(completing)).code
}

async function objectOf({ s }: Walk): Promise<Buffer | undefined> {
  const path = s.server.objectPath('examplebucket', key)
  return path === undefined ? undefined : s.object(key)
}
