import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  appendFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import {
  FileCheckpoint,
  fileCheckpoint,
} from '../../lib/checkpoint/file-checkpoint.js'
import { platformLocker } from '../../lib/checkpoint/lock.js'
import { TestDisk, fingerprint } from '../support/test-disk.js'

const bytes = Buffer.from('some bytes of a log\n')

function logIn(t: Test, content: Record<string, string> = {}): string {
  return join(t.testdir(content), 'log.pawl')
}

/** As `ls` shows it. */
function modeOf(path: string): number {
  return statSync(path).mode & 0o777
}

function onDisk(path: string, disk: TestDisk): FileCheckpoint {
  return new FileCheckpoint(path, () => platformLocker(), disk)
}

await t.test('what is appended is there for the next run', async (t) => {
  const path = logIn(t)
  const checkpoint = fileCheckpoint(path)
  t.equal(checkpoint.name, path)
  t.equal((await checkpoint.open()).length, 0)
  await checkpoint.append(bytes)
  await checkpoint.append(bytes)
  await checkpoint.close()
  t.same(readFileSync(path), Buffer.concat([bytes, bytes]))
  t.equal(statSync(path).mode & 0o777, 0o600)

  t.same(await checkpoint.open(), Buffer.concat([bytes, bytes]))
  await checkpoint.append(bytes)
  t.equal(await checkpoint.remove(), true)
  t.equal(existsSync(path), false)
  await checkpoint.close()
})

await t.test(
  'a file that was made and never written to goes again',
  async (t) => {
    const path = logIn(t)
    const checkpoint = fileCheckpoint(path)
    await checkpoint.open()
    t.ok(existsSync(path))
    await checkpoint.close()
    t.notOk(existsSync(path))
    await checkpoint.close()

    writeFileSync(path, '')
    const before = fingerprint(path)
    await checkpoint.open()
    await checkpoint.close()
    t.strictSame(fingerprint(path), before, 'one that was there stays')
  },
)

await t.test('looking at a foreign file changes nothing of it', async (t) => {
  const path = logIn(t, { 'log.pawl': 'the only copy of a dump' })
  chmodSync(path, 0o644)
  utimesSync(path, 1, 1)
  const before = fingerprint(path)
  const checkpoint = fileCheckpoint(path)
  t.equal(
    Buffer.from(await checkpoint.open()).toString(),
    'the only copy of a dump',
  )
  await checkpoint.close()
  t.strictSame(fingerprint(path), before)
  t.equal(readFileSync(path, 'utf8'), 'the only copy of a dump')
})

await t.test('calls on a log that is not open are refused', async (t) => {
  const checkpoint = fileCheckpoint(logIn(t))
  for (const call of [
    (): Promise<unknown> => checkpoint.append(bytes),
    () => checkpoint.setAside(),
    () => checkpoint.remove(),
  ]) {
    await t.rejects(call(), { code: 'PAWL_INVALID_STATE' })
  }
  for (const path of ['', 'a\0b', 7]) {
    // @ts-expect-error the last one is not a path
    t.throws(() => fileCheckpoint(path), { code: 'PAWL_INVALID_OPTION' })
  }
})

const unsafe: Record<string, (path: string) => void> = {
  'a symbolic link': (path) => {
    renameSync(path, `${path}.real`)
    symlinkSync(`${path}.real`, path)
  },
  'a symbolic link to nothing': (path) => {
    rmSync(path)
    symlinkSync(`${path}.none`, path)
  },
  'a file with two names': (path) => linkSync(path, `${path}.other`),
  'a fifo': (path) => {
    rmSync(path)
    execFileSync('mkfifo', [path])
  },
}

for (const [what, make] of Object.entries(unsafe)) {
  const skip = process.platform === 'win32'
  await t.test(`${what} is not safe`, { skip }, async (t) => {
    const path = logIn(t, { 'log.pawl': 'content' })
    make(path)
    const before = fingerprint(path)
    const names = readdirSync(t.testdirName)
    await t.rejects(fileCheckpoint(path).open(), {
      code: 'PAWL_CHECKPOINT_UNSAFE',
    })
    t.strictSame(fingerprint(path), before)
    t.strictSame(readdirSync(t.testdirName), names)
  })
}

const isRoot = process.geteuid?.() === 0
await t.test(
  'a file of another user is not safe',
  { skip: !isRoot },
  async (t) => {
    const path = logIn(t, { 'log.pawl': '' })
    chownSync(path, 12345, 12345)
    await t.rejects(fileCheckpoint(path).open(), {
      code: 'PAWL_CHECKPOINT_UNSAFE',
      message: /owned by user 12345.*trustLog: true/,
    })
    const trusting = fileCheckpoint(path, { trusted: true })
    await trusting.open()
    await trusting.append(Buffer.from('x'))
    await trusting.close()
    t.equal(readFileSync(path, 'utf8'), 'x')
  },
)

await t.test(
  'a volume that lets others write our own log is put right, by the first write',
  { skip: process.platform === 'win32' },
  async (t) => {
    for (const mode of [0o660, 0o602, 0o777]) {
      const path = logIn(t, { 'log.pawl': 'content' })
      chmodSync(path, mode)
      const before = fingerprint(path)
      const checkpoint = fileCheckpoint(path)
      await checkpoint.open()
      t.strictSame(fingerprint(path), before, 'not yet: it may be no log')
      await checkpoint.append(Buffer.from('more'))
      t.equal(modeOf(path), 0o600)
      await checkpoint.close()
    }
    const path = logIn(t)
    const checkpoint = fileCheckpoint(path)
    await checkpoint.open()
    t.equal(modeOf(path), 0o600)
    await checkpoint.close()
  },
)

await t.test(
  'a mode that does not stick, and another owner, have to be trusted',
  { skip: process.platform === 'win32' },
  async (t) => {
    const code = 'PAWL_CHECKPOINT_UNSAFE'
    const message =
      /trustLog: true, fileCheckpoint\(path, \{ trusted: true \}\), --trust-log/
    const path = logIn(t, { 'log.pawl': 'content' })
    chmodSync(path, 0o660)
    const disk = new TestDisk()
    disk.fail('chmod', 'EPERM')
    const stubborn = onDisk(path, disk)
    await stubborn.open()
    await t.rejects(stubborn.append(Buffer.from('x')), { code, message })
    await stubborn.close()
    t.equal(readFileSync(path, 'utf8'), 'content', 'nothing was written')

    const trusting = fileCheckpoint(path, { trusted: true })
    t.equal(Buffer.from(await trusting.open()).toString(), 'content')
    await trusting.append(Buffer.from(', more'))
    await trusting.close()
    t.equal(readFileSync(path, 'utf8'), 'content, more')
    t.equal(modeOf(path), 0o660, 'it is left as the volume has it')

    // Names are no matter of a volume.
    linkSync(path, `${path}.other`)
    const linked = fileCheckpoint(path, { trusted: true })
    await t.rejects(linked.open(), { code, message: /hard links/ })
  },
)

await t.test('a directory and a huge file are not logs', async (t) => {
  const path = logIn(t)
  mkdirSync(path)
  const disk = new TestDisk()
  const code = 'PAWL_NOT_A_CHECKPOINT'
  await t.rejects(onDisk(path, disk).open(), { code })
  rmSync(path, { recursive: true })
  writeFileSync(path, '')
  truncateSync(path, 64 * 1024 * 1024 + 1)
  await t.rejects(onDisk(path, disk).open(), { code })
  t.notOk(disk.calls.includes('read'))
  t.equal(statSync(path).size, 64 * 1024 * 1024 + 1)
})

await t.test('a missing directory is said in words', async (t) => {
  const directory = t.testdir({ file: '' })
  for (const [name, message] of [
    ['none', /its directory does not exist, create it first/],
    ['file', /what should be its directory is a file/],
  ] as const) {
    const path = join(directory, name, 'log.pawl')
    const code = 'PAWL_CHECKPOINT_IO'
    await t.rejects(fileCheckpoint(path).open(), { code, message })
  }
})

const failures: [call: 'write' | 'datasync' | 'syncDirectory', code: string][] =
  [
    ['write', 'ENOSPC'],
    ['write', 'EIO'],
    ['datasync', 'EIO'],
    ['datasync', 'ENOSPC'],
    ['syncDirectory', 'EIO'],
  ]

for (const [call, code] of failures) {
  await t.test(`${code} on ${call} is final`, async (t) => {
    const path = logIn(t)
    const disk = new TestDisk()
    const checkpoint = onDisk(path, disk)
    await checkpoint.open()
    disk.fail(call, code)
    const failure = { code: 'PAWL_CHECKPOINT_IO', message: new RegExp(code) }
    await t.rejects(checkpoint.append(bytes), failure)
    disk.before.clear()
    disk.calls.length = 0
    await t.rejects(checkpoint.append(bytes), failure)
    t.strictSame(disk.calls, [], 'nothing more is tried')
    await checkpoint.close()
    await checkpoint.open()
    await checkpoint.append(bytes)
    await checkpoint.close()
  })
}

await t.test(
  'a short write is final, and the next run sees its torn tail',
  async (t) => {
    const path = logIn(t)
    const disk = new TestDisk()
    const checkpoint = onDisk(path, disk)
    await checkpoint.open()
    disk.writeLimit = 7
    const failure = {
      code: 'PAWL_CHECKPOINT_IO',
      message: `could not be written: only 7 of ${bytes.length} bytes were written; the disk may be full`,
    }
    await t.rejects(checkpoint.append(bytes), failure)
    disk.writeLimit = Infinity
    await t.rejects(checkpoint.append(bytes), failure)
    await checkpoint.close()
    t.equal((await checkpoint.open()).length, 7)
    await checkpoint.close()
  },
)

await t.test(
  'an append is written, looked after, synced, and its name too',
  async (t) => {
    const disk = new TestDisk()
    const checkpoint = onDisk(logIn(t), disk)
    await checkpoint.open()
    disk.calls.length = 0
    await checkpoint.append(bytes)
    t.strictSame(disk.calls, [
      'write',
      'stat',
      'lstat',
      'datasync',
      'syncDirectory',
    ])
    disk.calls.length = 0
    await checkpoint.append(bytes)
    t.strictSame(disk.calls, ['write', 'stat', 'lstat', 'datasync'])
    await checkpoint.close()
  },
)

await t.test('a power loss takes only what was not promised', async (t) => {
  const path = logIn(t)
  const disk = new TestDisk()
  const checkpoint = onDisk(path, disk)
  await checkpoint.open()
  await checkpoint.append(bytes)
  disk.fail('datasync', 'EIO')
  await t.rejects(checkpoint.append(bytes))
  t.equal(statSync(path).size, 2 * bytes.length)
  await checkpoint.close()
  disk.dropUnsynced(path)
  t.same(readFileSync(path), bytes)

  const other = join(t.testdirName, 'other.pawl')
  const early = onDisk(other, disk)
  await early.open()
  disk.before.clear()
  disk.fail('syncDirectory', 'EIO')
  await t.rejects(early.append(bytes))
  await early.close()
  disk.dropUnsynced(other)
  t.notOk(existsSync(other), 'without its name nothing was promised')
})

const accidents: Record<string, [code: string, (path: string) => void]> = {
  'is deleted': ['PAWL_CHECKPOINT_LOST', (path) => rmSync(path)],
  'is renamed': [
    'PAWL_CHECKPOINT_LOST',
    (path) => renameSync(path, `${path}.old`),
  ],
  'is replaced': [
    'PAWL_CHECKPOINT_LOST',
    (path) => {
      rmSync(path)
      writeFileSync(path, bytes)
    },
  ],
  'loses its directory': [
    'PAWL_CHECKPOINT_LOST',
    (path) => rmSync(join(path, '..'), { recursive: true }),
  ],
  'is cut': ['PAWL_CHECKPOINT_LOST', (path) => truncateSync(path, 1)],
  'gets a second name': [
    'PAWL_CHECKPOINT_UNSAFE',
    (path) => linkSync(path, `${path}.other`),
  ],
  'is written by somebody else': [
    'PAWL_CHECKPOINT_LOCKED',
    (path) => appendFileSync(path, 'x'),
  ],
}

for (const [what, [code, happen]] of Object.entries(accidents)) {
  await t.test(`a log that ${what} while in use takes no more`, async (t) => {
    const path = logIn(t)
    const disk = new TestDisk()
    const checkpoint = onDisk(path, disk)
    await checkpoint.open()
    await checkpoint.append(bytes)
    happen(path)
    disk.calls.length = 0
    await t.rejects(checkpoint.append(bytes), { code })
    t.notOk(disk.calls.includes('datasync'), 'it is seen before the sync')
    await t.rejects(checkpoint.append(bytes), { code })
    await checkpoint.close()
  })
}

await t.test('a log that is lost says what is left of it', async (t) => {
  for (const [what, resumable, says] of [
    ['is deleted', false, /it starts over/],
    ['is replaced', true, /it goes on from what is there now/],
    ['is cut', true, /it goes on from what is there now/],
  ] as const) {
    const path = logIn(t)
    rmSync(path, { force: true })
    const checkpoint = onDisk(path, new TestDisk())
    await checkpoint.open()
    await checkpoint.append(bytes)
    accidents[what]?.[1](path)
    await t.rejects(checkpoint.append(bytes), { resumable, message: says })
    await checkpoint.close()
  }
})

await t.test('a file in place of the log is not removed for it', async (t) => {
  const path = logIn(t)
  const checkpoint = fileCheckpoint(path)
  await checkpoint.open()
  rmSync(path)
  writeFileSync(path, 'another')
  await checkpoint.close()
  t.equal(readFileSync(path, 'utf8'), 'another')
  rmSync(path)

  await checkpoint.open()
  await checkpoint.append(bytes)
  rmSync(path)
  writeFileSync(path, 'another')
  t.equal(await checkpoint.remove(), false)
  t.equal(readFileSync(path, 'utf8'), 'another')
  await checkpoint.close()
})

await t.test(
  'a log that cannot be removed is held until it is closed',
  async (t) => {
    const path = logIn(t)
    const disk = new TestDisk()
    const checkpoint = onDisk(path, disk)
    await checkpoint.open()
    await checkpoint.append(bytes)
    disk.fail('unlink', 'EROFS')
    t.equal(await checkpoint.remove(), false)
    await checkpoint.append(bytes)
    disk.before.clear()
    disk.fail('syncDirectory', 'EIO')
    await checkpoint.close()
    t.same(await checkpoint.open(), Buffer.concat([bytes, bytes]))
    t.equal(await checkpoint.remove(), true)
    t.notOk(existsSync(path))
    await checkpoint.open()
    rmSync(path)
    t.equal(await checkpoint.remove(), true, 'gone already')
  },
)

await t.test('a damaged log is kept under a name that is free', async (t) => {
  const path = logIn(t, {
    'log.pawl': 'damaged',
    'log.pawl.damaged': 'an older one',
  })
  chmodSync(path, 0o600)
  const checkpoint = fileCheckpoint(path)
  await checkpoint.open()
  t.equal(await checkpoint.setAside(), `${path}.damaged-2`)
  await checkpoint.append(bytes)
  await t.rejects(fileCheckpoint(path).open(), {
    code: 'PAWL_CHECKPOINT_LOCKED',
  })
  await checkpoint.close()
  t.same(readFileSync(path), bytes)
  t.equal(readFileSync(`${path}.damaged`, 'utf8'), 'an older one')
  t.equal(readFileSync(`${path}.damaged-2`, 'utf8'), 'damaged')
})

await t.test(
  'a log whose setting aside was cut off can be opened',
  async (t) => {
    const path = logIn(t, {
      'log.pawl': 'damaged',
      'log.pawl.damaged': 'an older one',
    })
    chmodSync(path, 0o600)
    linkSync(path, `${path}.damaged-2`)
    const checkpoint = fileCheckpoint(path)
    t.same(await checkpoint.open(), Buffer.from('damaged'))
    t.equal(statSync(path).nlink, 1)
    t.equal(await checkpoint.setAside(), `${path}.damaged-2`)
    await checkpoint.close()
    t.equal(readFileSync(`${path}.damaged`, 'utf8'), 'an older one')
    t.equal(readFileSync(`${path}.damaged-2`, 'utf8'), 'damaged')
  },
)

await t.test('a log that cannot be set aside stays what it was', async (t) => {
  for (const call of ['link', 'unlink'] as const) {
    const path = logIn(t, { 'log.pawl': 'damaged' })
    const disk = new TestDisk()
    const checkpoint = onDisk(path, disk)
    await checkpoint.open()
    let isFirst = true
    disk.before.set(call, () => {
      if (isFirst) {
        isFirst = false
        throw Object.assign(new Error('no'), { code: 'EPERM' })
      }
    })
    await t.rejects(checkpoint.setAside(), { code: 'PAWL_CHECKPOINT_IO' })
    await checkpoint.close()
    t.strictSame(readdirSync(t.testdirName), ['log.pawl'])
    t.equal(readFileSync(path, 'utf8'), 'damaged')
    t.equal(statSync(path).nlink, 1)
  }
})

await t.test('nothing is left open by what fails while opening', async (t) => {
  for (const call of ['stat', 'lstat', 'read'] as const) {
    const path = logIn(t, { 'log.pawl': 'content' })
    const disk = new TestDisk()
    const checkpoint = onDisk(path, disk)
    disk.fail(call, 'EIO')
    await t.rejects(checkpoint.open(), { code: 'PAWL_CHECKPOINT_IO' })
    disk.before.clear()
    const count = (name: string) =>
      disk.calls.filter((other) => other === name).length
    t.equal(count('open'), count('close'))
    t.equal(Buffer.from(await checkpoint.open()).toString(), 'content')
    await checkpoint.close()
  }
})

await t.test(
  'what was being written when it was closed fails alone',
  async (t) => {
    const path = logIn(t)
    const disk = new TestDisk()
    const checkpoint = onDisk(path, disk)
    await checkpoint.open()
    await checkpoint.append(bytes)
    const late = t.rejects(checkpoint.append(bytes), {
      code: 'PAWL_CHECKPOINT_IO',
    })
    await checkpoint.close()
    await late
    await checkpoint.open()
    // The run that has it now is not disturbed.
    const size = statSync(path).size
    await checkpoint.append(bytes)
    t.equal(statSync(path).size, size + bytes.length)
    await checkpoint.close()
  },
)
