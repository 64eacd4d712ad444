/** What hangs from what: requests from their part, parts from their upload. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, tracingChannel } from 'node:diagnostics_channel'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import {
  uploadFile,
  type PartTrace,
  type RequestTrace,
  type UploadTrace,
} from '../../../lib/index.js'
import type { Fault } from '../../../lib/dev-server/index.js'
import { noise } from '../../support/dev-store.js'
import type { Kind } from '../../support/channels.js'
import { key, part, send, smallUploads } from '../../support/small-upload.js'

interface Place {
  name: string
  parent?: Place | undefined
}

const nameOf: Record<Kind, (context: never) => string> = {
  upload: ({ kind }: UploadTrace) => kind,
  part: ({ partNumber }: PartTrace) => `part ${partNumber}`,
  request: ({ operation, partNumber }: RequestTrace) =>
    partNumber === undefined ? operation : `${operation} ${partNumber}`,
}

/** Every path that was begun, as `caller / stream / part 1 / UploadPart 1`. */
function recordPaths(
  t: Test,
  which: readonly Kind[] = ['upload', 'part', 'request'],
): { places: AsyncLocalStorage<Place>; paths: string[] } {
  const places = new AsyncLocalStorage<Place>()
  const paths: string[] = []
  for (const kind of which) {
    const { start } = tracingChannel<unknown, object>(`pawl:${kind}`)
    start.bindStore(places, (context) => {
      const place = {
        name: nameOf[kind](context as never),
        parent: places.getStore(),
      }
      paths.push(pathOf(place))
      return place
    })
    t.teardown(() => start.unbindStore(places))
  }
  return { places, paths }
}

function pathOf(place: Place | undefined): string {
  if (place === undefined) return 'nowhere'
  const { name, parent } = place
  return parent === undefined ? name : `${pathOf(parent)} / ${name}`
}

const fresh = (kind: string): string[] => [
  `caller / ${kind}`,
  `caller / ${kind} / InitiateMultipartUpload`,
  ...[1, 2, 3].flatMap((n) => [
    `caller / ${kind} / part ${n}`,
    `caller / ${kind} / part ${n} / UploadPart ${n}`,
  ]),
  `caller / ${kind} / CompleteMultipartUpload`,
]

await t.test('a stream, wherever its bytes are written', async (t) => {
  const dev = await smallUploads(t)
  const { places, paths } = recordPaths(t)
  const upload = places.run({ name: 'caller' }, () => dev.upload())
  await places.run({ name: 'writer' }, () => send(upload, noise(2 * part + 1)))
  t.same(paths.toSorted(), fresh('stream').toSorted())
})

await t.test('a file', async (t) => {
  const dev = await smallUploads(t)
  const { places, paths } = recordPaths(t)
  const path = join(dev.directory, 'db.dump')
  await writeFile(path, noise(2 * part + 1))
  await places.run({ name: 'caller' }, () =>
    uploadFile(path, {
      store: dev.small,
      key,
      partSize: part,
      checkpoint: dev.log,
    }),
  )
  t.same(paths.toSorted(), fresh('file').toSorted())
})

await t.test(
  'parts in order, attempts, a resume and what is reused',
  async (t) => {
    const dev = await smallUploads(t)
    const faults: Fault[] = [
      { kind: 'status', status: 503 },
      { kind: 'status', status: 403, code: 'AccessDenied' },
    ]
    dev.server.setFault(({ partNumber }) =>
      partNumber === 2 ? faults.shift() : undefined,
    )
    const bytes = noise(2 * part)
    const { places, paths } = recordPaths(t)
    const run = (name: string): Promise<void> => {
      const upload = places.run({ name }, () =>
        dev.upload({ sequential: true }),
      )
      return send(upload, bytes)
    }
    await t.rejects(run('first'), { code: 'PAWL_ACCESS_DENIED' })
    t.same(paths.splice(0).slice(1), [
      'first / stream / part 1',
      'first / stream / InitiateMultipartUpload',
      'first / stream / part 1 / UploadPart 1',
      'first / stream / part 2',
      'first / stream / part 2 / UploadPart 2',
      'first / stream / part 2 / UploadPart 2',
    ])
    await run('second')
    t.same(paths, [
      'second / stream',
      'second / stream / ListParts',
      'second / stream / part 1',
      'second / stream / part 2',
      'second / stream / part 2 / UploadPart 2',
      'second / stream / CompleteMultipartUpload',
    ])
  },
)

await t.test('one PutObject', async (t) => {
  const dev = await smallUploads(t)
  const { paths } = recordPaths(t)
  await dev.run(noise(10))
  t.same(paths, ['stream', 'stream / part 1', 'stream / part 1 / PutObject'])
})

await t.test(
  'kinds that are not watched are left out of the path',
  async (t) => {
    const dev = await smallUploads(t)
    const { paths } = recordPaths(t, ['upload', 'request'])
    await dev.run(noise(2 * part), { concurrency: 1 })
    t.same(paths, [
      'stream',
      'stream / InitiateMultipartUpload',
      'stream / UploadPart 1',
      'stream / UploadPart 2',
      'stream / CompleteMultipartUpload',
    ])
  },
)

await t.test('uploads beside each other are kept apart', async (t) => {
  const dev = await smallUploads(t)
  const { places, paths } = recordPaths(t)
  await Promise.all(
    ['a', 'b', 'c'].map((name) => {
      const upload = places.run({ name }, () =>
        dev.upload({ key: name, checkpoint: join(dev.directory, name) }),
      )
      return send(upload, noise(2 * part + 1))
    }),
  )
  for (const name of ['a', 'b', 'c']) {
    t.same(
      paths.filter((path) => path.startsWith(`${name} /`)).toSorted(),
      fresh('stream')
        .map((path) => path.replace('caller', name))
        .toSorted(),
    )
  }
})

await t.test('the end of a work finds the store of its start', async (t) => {
  const dev = await smallUploads(t)
  const { places } = recordPaths(t)
  const ends: string[] = []
  for (const kind of ['upload', 'part', 'request']) {
    const ended = channel(`tracing:pawl:${kind}:asyncEnd`)
    const hear = (): void => void ends.push(pathOf(places.getStore()))
    ended.subscribe(hear)
    t.teardown(() => ended.unsubscribe(hear))
  }
  await dev.run(noise(part), { concurrency: 1 })
  t.same(ends, [
    'stream / InitiateMultipartUpload',
    'stream / part 1 / UploadPart 1',
    'stream / part 1',
    'stream / CompleteMultipartUpload',
    'stream',
  ])
})
