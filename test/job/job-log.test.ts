import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import {
  appendFile,
  link,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  nodeFileSystem,
  type FileSystem,
} from '../../lib/checkpoint/file-system.js'
import type { JobFile } from '../../lib/job/job-file.js'
import { JobLog, readJob } from '../../lib/job/job-log.js'
import { temporaryDirectory } from '../support/dev-store.js'

const job = { target: 's3://bucket/p/', options: 'none' }
const object = { etag: 'E', crc64: '12' }

function file(
  name: string,
  change: Partial<JobFile['identity']> = {},
): JobFile {
  return {
    path: `/d/${name}`,
    key: `p/${name}`,
    size: 3,
    identity: {
      device: '1',
      inode: '2',
      size: 3,
      mtime: '4',
      ctime: '5',
      ...change,
    },
    time: 6,
  }
}

async function logPath(t: Test): Promise<string> {
  return join(await temporaryDirectory(t), 'x.job.pawl')
}

await t.test('what was sent is known to the next run', async (t) => {
  const path = await logPath(t)
  const first = await JobLog.open(path, job)
  for (const name of ['a', 'é "\\ \u2028', 'c']) first.add(file(name), object)
  t.equal(first.find(file('a')), undefined, 'in its own run it is not asked')
  await first.close(false)
  const second = await JobLog.open(path, job)
  t.equal(second.size, 3)
  t.same(second.find(file('é "\\ \u2028')), { ...object, time: 6 })
  t.equal(second.find(file('b')), undefined)
  for (const change of [
    { size: 4 },
    { mtime: '5' },
    { ctime: '6' },
    { inode: '3' },
    { device: '2' },
  ]) {
    t.equal(second.find(file('a', change)), undefined, JSON.stringify(change))
  }
  second.add(file('d'), { etag: 'F', crc64: undefined })
  await second.close(false)
  t.match(await readJob(path), { files: 4, bytes: 12, target: job.target })
  const third = await JobLog.open(path, job)
  t.same(third.find(file('d')), { etag: 'F', crc64: undefined, time: 6 })
  await third.close(true)
  await t.rejects(readFile(path), { code: 'ENOENT' })
})

await t.test('other options begin it anew', async (t) => {
  const path = await logPath(t)
  const first = await JobLog.open(path, job)
  first.add(file('a'), object)
  await first.close(false)
  const second = await JobLog.open(path, { ...job, options: 'others' })
  t.equal(second.size, 0)
  await second.close(false)
})

await t.test('a second command is refused while one holds it', async (t) => {
  const path = await logPath(t)
  const first = await JobLog.open(path, job)
  await t.rejects(JobLog.open(path, job), { code: 'PAWL_CHECKPOINT_LOCKED' })
  await first.close(false)
  await (await JobLog.open(path, job)).close(true)
})

const isWindows = process.platform === 'win32'

await t.test(
  'a full disk costs the log, not the job',
  { skip: process.platform !== 'linux' && 'no /dev/full' },
  async (t) => {
    const path = await logPath(t)
    const full = openSync('/dev/full', 'a')
    t.teardown(() => closeSync(full))
    let isFull = false
    const fs: FileSystem = {
      ...nodeFileSystem,
      async open(path, how) {
        const handle = await nodeFileSystem.open(path, how)
        const { fd } = handle
        const get = (): number => (isFull ? full : fd)
        return Object.defineProperty({ ...handle }, 'fd', { get })
      },
    }
    const told: unknown[] = []
    const log = await JobLog.open(path, {
      ...job,
      fs,
      onLost: (why) => told.push(why),
    })
    log.add(file('a'), object)
    isFull = true
    log.add(file('b'), object)
    isFull = false
    log.add(file('c'), object)
    t.match(told, [{ code: 'ENOSPC' }])
    t.equal(told.length, 1)
    await log.close(false)
    const again = await JobLog.open(path, job)
    t.equal(again.size, 1, 'nothing is written behind a line that may be cut')
    t.ok(again.find(file('a')))
    await again.close(true)
  },
)

await t.test('a log that is gone at the end is no failure', async (t) => {
  const path = await logPath(t)
  const log = await JobLog.open(path, job)
  await rm(path)
  await log.close(true)
  await (await JobLog.open(path, job)).close(true)
})

await t.test(
  'a link is not followed, and what it leads to not emptied',
  { skip: isWindows && 'links need a permission' },
  async (t) => {
    const path = await logPath(t)
    await writeFile(`${path}.other`, 'the only copy')
    await symlink(`${path}.other`, path)
    const unsafe = { code: 'PAWL_CHECKPOINT_UNSAFE' }
    await t.rejects(JobLog.open(path, job), unsafe)
    await rm(path)
    await link(`${path}.other`, path)
    await t.rejects(JobLog.open(path, job), unsafe)
    t.equal(String(await readFile(path)), 'the only copy')
  },
)

await t.test(
  'a FIFO is no log, and is not waited for',
  { skip: isWindows && 'no FIFOs' },
  async (t) => {
    const path = await logPath(t)
    execFileSync('mkfifo', [path])
    t.equal(await readJob(path), undefined)
    const unsafe = { code: 'PAWL_CHECKPOINT_UNSAFE' }
    await t.rejects(JobLog.open(path, job), unsafe)
  },
)

await t.test('cut after every byte, what is whole is kept', async (t) => {
  const path = await logPath(t)
  const log = await JobLog.open(path, job)
  log.add(file('a'), object)
  log.add(file('b'), object)
  await log.close(false)
  const bytes = await readFile(path)
  const ends = [...bytes.keys()].filter((at) => bytes[at] === 10)
  for (let cut = 0; cut <= bytes.length; cut++) {
    await writeFile(path, bytes.subarray(0, cut))
    const again = await JobLog.open(path, job)
    // The last line is whole without its end.
    const whole = ends.filter((end) => end <= cut).length
    t.equal(again.size, Math.max(0, whole - 1), `cut at ${cut}`)
    again.add(file('c'), object)
    await again.close(false)
    const last = await JobLog.open(path, job)
    t.ok(last.find(file('c')), `written behind a cut at ${cut}`)
    await last.close(false)
  }
})

await t.test(
  'every byte damaged, no other file is taken for sent',
  async (t) => {
    const path = await logPath(t)
    const log = await JobLog.open(path, job)
    log.add(file('a'), object)
    log.add(file('b'), object)
    await log.close(false)
    const bytes = await readFile(path)
    const known = [file('a'), file('b')]
    for (const at of bytes.keys()) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (bytes[at] ?? 0) ^ 1
      await writeFile(path, damaged)
      const again = await JobLog.open(path, job)
      const found = known.filter((one) => again.find(one) !== undefined).length
      t.equal(again.size, found, `byte ${at}`)
      await again.close(false)
    }
  },
)

await t.test('what is no job is not read as one', async (t) => {
  const path = await logPath(t)
  await writeFile(path, 'this is no log\n')
  t.equal(await readJob(path), undefined)
  await appendFile(path, 'x'.repeat(3 * 1024 * 1024))
  t.equal(await readJob(path), undefined)
})

await t.test('a line without an end is not kept in memory', async (t) => {
  const path = await logPath(t)
  const none = await logPath(t)
  await writeFile(none, '')
  // Sparse: it takes no room, and would take more than a text can hold.
  await truncate(none, 10 * 2 ** 30)
  t.equal(await readJob(none), undefined)
  const log = await JobLog.open(path, job)
  log.add(file('a'), object)
  await log.close(false)
  await appendFile(path, `${'x'.repeat(3 * 2 ** 20)}\n`)
  const next = await JobLog.open(path, job)
  t.match(next.find(file('a')), object, 'what is before it is known')
  next.add(file('b'), object)
  await next.close(false)
  await appendFile(path, 'y'.repeat(3 * 2 ** 20))
  const last = await JobLog.open(path, job)
  t.equal(last.size, 2, 'and what is behind it')
  last.add(file('c'), object)
  await last.close(false)
  t.match(await readJob(path), { files: 3 }, 'and behind one that was cut')
})
