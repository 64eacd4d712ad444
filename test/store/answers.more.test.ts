/**
 * Whatever a server answers: a result or a StoreError, soon, and no pause of the
 * event loop that could be felt. The loop stands for no longer than what is
 * computed for an answer, and that is measured, as CPU: a machine that is busy
 * with something else lets the loop stand as well.
 */
import t from 'tap'
import type { ObjectStore } from '../../lib/store/object-store.js'
import { ossStore } from '../../lib/store/oss/store.js'
import { s3Store } from '../../lib/store/s3/store.js'
import { StoreError } from '../../lib/store/store-error.js'
import { honestAnswers, mutate, refusals } from '../support/mutated-answers.js'
import { rawServer } from '../support/raw-server.js'
import { randomFrom, seedFor } from '../support/seed.js'
import { bodyFrom, storeCall } from '../support/store-call.js'
import { sized } from '../support/tier.js'

const answers = sized({ fast: 400, more: 4000, long: 4000 })
/** ms of CPU. */
const mostCost = 200
/** ms; nothing that was answered is waited for so long. */
const limit = 30_000

const bytes = Buffer.from('123456789')
const upload = { key: 'k', uploadId: 'U', size: 9 }
const parts = [{ partNumber: 1, etag: '"e"' }]
const callback = { url: 'https://a.example', body: 'x' }
const call = () =>
  storeCall({ timeouts: { connect: limit, stall: limit, headers: limit } })

const calls: Record<
  keyof typeof honestAnswers,
  (store: ObjectStore, withCallback: boolean) => Promise<unknown>
> = {
  createUpload: (store) => store.createUpload({ key: 'k', object: {} }, call()),
  uploadPart: (store) =>
    store.uploadPart(
      { ...upload, partNumber: 1, body: bodyFrom(bytes) },
      call(),
    ),
  listParts: (store) => store.listParts(upload, call()),
  completeUpload: (store, withCallback) =>
    store.completeUpload(
      { ...upload, parts, object: withCallback ? { callback } : {} },
      call(),
    ),
  listUploads: (store) => store.listUploads({ prefix: 'k' }, call()),
  putObject: (store, withCallback) =>
    store.putObject(
      {
        key: 'k',
        size: 9,
        body: bodyFrom(bytes),
        object: withCallback ? { callback } : {},
      },
      call(),
    ),
  headObject: (store) => store.headObject('k', call()),
  abortUpload: (store) => store.abortUpload(upload, call()),
}

/** Answers every request with the bytes that are given, and closes. */
let answer: Buffer = Buffer.alloc(0)
const port = await rawServer(t, (socket) => {
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
    const head = received.indexOf('\r\n\r\n')
    if (head === -1) return
    const length = /content-length: (\d+)/i.exec(received)?.[1] ?? '0'
    if (received.length < head + 4 + Number(length)) return
    received = ''
    socket.end(answer)
  })
})
const endpoint = `http://127.0.0.1:${port}`
const bucket = 'examplebucket'
const stores: ObjectStore[] = [
  ossStore({
    bucket,
    endpoint,
    region: 'cn-hangzhou',
    credentials: { accessKeyId: 'FAKEID', accessKeySecret: 'FAKESECRET' },
  }),
  s3Store({
    bucket,
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'FAKEID', secretAccessKey: 'FAKESECRET' },
  }),
]
t.teardown(() => Promise.all(stores.map((store) => store.close())))

const seed = seedFor()
t.comment(`PAWL_SEED=${seed}`)
const random = randomFrom(seed)
const oneOf = <T>(items: readonly T[]): T => {
  const item = items[Math.floor(random() * items.length)]
  if (item === undefined) throw new Error('nothing to choose from')
  return item
}

interface Outcome {
  thrown: unknown
  /** ms of CPU, of all threads, and with what the server needed. */
  cost: number
}

async function ask(send: () => Promise<unknown>): Promise<Outcome> {
  const before = process.cpuUsage()
  const thrown = await send().then(
    () => undefined,
    (error: unknown) => error,
  )
  const { user, system } = process.cpuUsage(before)
  return { thrown, cost: (user + system) / 1000 }
}

await t.test('honest answers are understood', async (t) => {
  for (const [name, [honest]] of Object.entries(honestAnswers)) {
    answer = honest
    const send = calls[name as keyof typeof calls]
    for (const store of stores) {
      // S3 has other markers of encoding; both read what is there.
      t.equal((await ask(() => send(store, false))).thrown, undefined, name)
    }
  }
})

await t.test(`${answers} mutated answers`, async (t) => {
  const names = Object.keys(calls) as (keyof typeof calls)[]
  const outcomes = { understood: 0, refused: 0 }
  let dearest = 0
  for (let i = 0; i < answers; i++) {
    const name = oneOf(names)
    const store = oneOf(stores)
    const honest = oneOf<Buffer>(
      random() < 0.8 ? honestAnswers[name] : refusals,
    )
    answer = mutate(honest, random)
    const withCallback = store === stores[0] && random() < 0.2
    const send = () => calls[name](store, withCallback)
    let { thrown, cost } = await ask(send)
    // The collector's work is not an answer's own, which it costs each time.
    for (let again = 0; again < 3 && cost > mostCost; again++) {
      cost = Math.min(cost, (await ask(send)).cost)
    }
    dearest = Math.max(dearest, cost)
    const shown = `${i}: ${name}: ${JSON.stringify(answer.toString('latin1').slice(0, 300))}`
    if (thrown === undefined) outcomes.understood++
    else outcomes.refused++
    if (thrown !== undefined && !(thrown instanceof StoreError)) {
      t.fail(`no StoreError: ${shown}`, { thrown })
    }
    if (thrown instanceof StoreError && thrown.kind === 'timeout') {
      t.fail(`it was waited for: ${shown}`)
    }
    if (cost > mostCost) t.fail(`it cost ${cost} ms of CPU: ${shown}`)
  }
  t.comment(`${JSON.stringify(outcomes)}, at most ${dearest} ms of CPU`)
  t.ok(outcomes.understood > answers / 20)
  t.ok(outcomes.refused > answers / 4)
})
