import t from 'tap'
import { UploadError, type ErrorCode } from '../../lib/index.js'
import type { Found, JobFile } from '../../lib/job/job-file.js'
import { runJob } from '../../lib/job/run-job.js'

function file(size: number, at: number): JobFile {
  const identity = { device: '', inode: '', size, mtime: '0', ctime: '0' }
  return { path: `f${at}`, key: `f${at}`, size, identity, time: 0 }
}

async function* filesOf(sizes: readonly number[]): AsyncGenerator<Found> {
  for (const [at, size] of sizes.entries()) yield { file: file(size, at) }
}

const rules = { isLarge: ({ size }: JobFile) => size >= 10 }

await t.test('so many at once, and few large ones among them', async (t) => {
  const sizes = Array.from({ length: 200 }, (_, at) => (at % 3 === 0 ? 10 : 1))
  let [now, large, most, mostLarge, sent] = [0, 0, 0, 0, 0]
  const end = await runJob(
    filesOf(sizes),
    { ...rules, jobs: 7, signal: new AbortController().signal },
    {
      async send({ size }) {
        now++
        if (size >= 10) large++
        most = Math.max(most, now)
        mostLarge = Math.max(mostLarge, large)
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
        now--
        if (size >= 10) large--
        sent++
      },
      skipped: () => t.fail('nothing is skipped'),
      failed: () => t.fail('nothing fails'),
    },
  )
  t.same(end, { isWhole: true, stopped: undefined })
  t.same([sent, most, mostLarge], [200, 7, 2])
})

await t.test(
  'a failure ends the others only when it is true of all',
  async (t) => {
    const rows: [code: ErrorCode, everyOne: boolean, tried: number][] = [
      ['PAWL_SOURCE_IO', true, 100],
      ['PAWL_NETWORK', false, 100],
      ['PAWL_NETWORK', true, 32],
      ['PAWL_CREDENTIALS', true, 1],
      ['PAWL_NO_SUCH_BUCKET', true, 1],
    ]
    for (const [code, everyOne, tried] of rows) {
      let count = 0
      let failures = 0
      const { isWhole, stopped } = await runJob(
        filesOf(Array.from({ length: 100 }, () => 1)),
        { ...rules, jobs: 1, signal: new AbortController().signal },
        {
          async send() {
            count++
            if (everyOne || count % 2 === 0) throw new UploadError(code, 'no')
          },
          skipped: () => undefined,
          failed: () => void failures++,
        },
      )
      t.equal(count, tried, `${code} ${everyOne}`)
      t.equal(failures, everyOne ? tried : 50)
      t.equal(isWhole, tried === 100)
      t.equal(stopped !== undefined, tried < 100)
    }
  },
)

await t.test(
  'a signal ends it when what is under way has settled',
  async (t) => {
    const controller = new AbortController()
    let under = 0
    const { isWhole } = await runJob(
      filesOf(Array.from({ length: 50 }, () => 1)),
      { ...rules, jobs: 4, signal: controller.signal },
      {
        async send({ path }) {
          under++
          if (path === 'f10') controller.abort()
          await new Promise((resolve) => {
            setImmediate(resolve)
          })
          under--
          if (controller.signal.aborted) throw new Error('suspended')
        },
        skipped: () => undefined,
        failed: () => t.fail('what was suspended has not failed'),
      },
    )
    t.equal(isWhole, false)
    t.equal(under, 0)
  },
)
