import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import {
  FileCheckpoint,
  fileCheckpoint,
} from '../../lib/checkpoint/file-checkpoint.js'
import { nodeFileSystem } from '../../lib/checkpoint/file-system.js'
import { NativeBinary, platformLocker } from '../../lib/checkpoint/lock.js'
import type { Lockable, Locker } from '../../lib/checkpoint/lock.js'
import { loadNativeLocks } from '../../lib/checkpoint/native-locks.js'
import { ownRequire } from '../../lib/own-require.js'
import { bareNode } from '../support/bare-node.js'
import { compiledFixture } from '../support/compiled.js'
import { TestDisk } from '../support/test-disk.js'

const locked = { code: 'PAWL_CHECKPOINT_LOCKED', resumable: true }
const noBinary = new NativeBinary(() => {
  throw Object.assign(new Error('no prebuild'), { code: 'ADDON_NOT_FOUND' })
})

async function child(
  t: Test,
  path: string,
  ...flags: string[]
): Promise<{ process: ChildProcess; said: unknown }> {
  const process = spawn(
    ...bareNode(...flags, compiledFixture('hold-log'), path),
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  )
  t.teardown(() => process.kill('SIGKILL'))
  const [said] = await once(process, 'message')
  return { process, said }
}

function logIn(t: Test): string {
  return join(t.testdir(), 'log.pawl')
}

await t.test('a second descriptor in this process is refused', async (t) => {
  const path = logIn(t)
  const first = fileCheckpoint(path)
  await first.open()
  await t.rejects(fileCheckpoint(path).open(), locked)
  await t.rejects(first.open(), locked)
  t.ok(existsSync(path), 'who was refused removes nothing')
  await first.append(Buffer.from('x'))
  await t.rejects(fileCheckpoint(path).open(), locked)
  await first.close()
  const second = fileCheckpoint(path)
  t.equal((await second.open()).length, 1)
  await second.close()
})

await t.test('of two that open at once one gets it', async (t) => {
  const path = logIn(t)
  const same = fileCheckpoint(path)
  for (const pair of [
    [same, same],
    [fileCheckpoint(path), fileCheckpoint(path)],
  ]) {
    const opened = await Promise.allSettled(pair.map((one) => one.open()))
    t.strictSame(opened.map(({ status }) => status).toSorted(), [
      'fulfilled',
      'rejected',
    ])
    for (const one of pair) await one.close()
  }
})

await t.test('a second process is refused', async (t) => {
  const path = logIn(t)
  const checkpoint = fileCheckpoint(path)
  await checkpoint.open()
  t.equal((await child(t, path)).said, 'PAWL_CHECKPOINT_LOCKED')
  await checkpoint.append(Buffer.from('x'))
  await checkpoint.close()
})

await t.test('a log is free the moment its holder is killed', async (t) => {
  const path = logIn(t)
  const holder = await child(t, path)
  t.equal(holder.said, 'held')
  await t.rejects(fileCheckpoint(path).open(), locked)
  holder.process.kill('SIGKILL')
  await once(holder.process, 'exit')
  const checkpoint = fileCheckpoint(path)
  await checkpoint.open()
  await checkpoint.close()
})

await t.test(
  'a file that is replaced while it is locked is opened anew',
  async (t) => {
    const path = logIn(t)
    writeFileSync(path, 'old', { mode: 0o600 })
    const native = await platformLocker()
    let count = 0
    const locker: Locker = async (file) => {
      count += 1
      if (count === 1) {
        renameSync(path, `${path}.old`)
        writeFileSync(path, 'new', { mode: 0o600 })
      }
      return native(file)
    }
    const checkpoint = new FileCheckpoint(path, async () => locker)
    t.equal(Buffer.from(await checkpoint.open()).toString(), 'new')
    t.equal(count, 2)
    await checkpoint.close()
  },
)

await t.test('a file that is replaced for ever is given up', async (t) => {
  const path = logIn(t)
  const disk = new TestDisk()
  const native = await platformLocker()
  const locker: Locker = async (file) => {
    rmSync(path)
    return native(file)
  }
  const checkpoint = new FileCheckpoint(path, async () => locker, disk)
  await t.rejects(checkpoint.open(), locked)
  const count = (name: string) =>
    disk.calls.filter((call) => call === name).length
  t.equal(count('open'), count('close'))
})

await t.test(
  'a file that appears or goes between two calls is no error',
  async (t) => {
    const path = logIn(t)
    const disk = new TestDisk()
    const happen = [
      () => writeFileSync(path, 'came', { mode: 0o600 }),
      () => rmSync(path),
      () => writeFileSync(path, 'again', { mode: 0o600 }),
    ]
    disk.before.set('open', () => happen.shift()?.())
    const checkpoint = new FileCheckpoint(path, () => platformLocker(), disk)
    t.equal(Buffer.from(await checkpoint.open()).toString(), 'again')
    await checkpoint.close()
  },
)

await t.test('without a lock two may open it', async (t) => {
  const path = logIn(t)
  const first = fileCheckpoint(path, { lock: false })
  await first.open()
  await first.append(Buffer.from('x'))
  const second = fileCheckpoint(path, { lock: false })
  t.equal((await second.open()).toString(), 'x', 'what the first wrote is read')
  t.equal((await child(t, path)).said, 'held', 'and none of them holds it')
  await second.close()
  await first.close()
})

await t.test(
  'where there is no binary a name stands for the file',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const path = logIn(t)
    const byName = () =>
      new FileCheckpoint(path, () => platformLocker('linux', noBinary))
    const first = byName()
    await first.open()
    await first.append(Buffer.from('x'))
    await t.rejects(byName().open(), locked)
    await first.close()
    const second = byName()
    await second.open()
    await second.setAside()
    await t.rejects(byName().open(), locked)
    await second.close()
  },
)

await t.test(
  'who has the binary and who has none never hold one log',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const path = logIn(t)
    const native = () => fileCheckpoint(path)
    const byName = () =>
      new FileCheckpoint(path, () => platformLocker('linux', noBinary))
    for (const [first, second] of [
      [native(), byName()],
      [byName(), native()],
    ] as const) {
      await first.open()
      await t.rejects(second.open(), locked)
      await first.close()
      await second.open()
      await second.close()
    }
    const flags = ['--no-addons']
    const first = native()
    await first.open()
    t.equal((await child(t, path, ...flags)).said, 'PAWL_CHECKPOINT_LOCKED')
    await first.close()
    const holder = await child(t, path, ...flags)
    t.equal(holder.said, 'held')
    await t.rejects(native().open(), locked)
    holder.process.kill('SIGKILL')
    await once(holder.process, 'exit')
    await first.open()
    await first.close()
  },
)

await t.test(
  'a moment without descriptors is no reason to lock by name',
  async (t) => {
    const path = logIn(t)
    const shortages = [
      Object.assign(new Error('too many'), { code: 'EMFILE' }),
      Object.assign(new Error('Cannot load addon'), {
        code: 'CANNOT_LOAD',
        cause: Object.assign(
          new Error(
            'x.node: cannot open shared object file: Too many open files',
          ),
          { code: 'ERR_DLOPEN_FAILED' },
        ),
      }),
    ]
    for (const shortage of shortages) {
      // When it is made, and at the first lock after that.
      const failures = [shortage, shortage]
      const binary = new NativeBinary(() => {
        const failure = failures.shift()
        if (failure !== undefined) throw failure
        return { tryLock: () => true }
      })
      const checkpoint = new FileCheckpoint(path, () =>
        platformLocker('linux', binary),
      )
      await t.rejects(checkpoint.open(), {
        code: 'PAWL_CHECKPOINT_IO',
        cause: shortage,
      })
      t.notOk(existsSync(path))
      await checkpoint.open()
      await checkpoint.close()
    }
  },
)

await t.test('where there is neither, that is said', async (t) => {
  const checkpoint = new FileCheckpoint(logIn(t), () =>
    platformLocker('freebsd', noBinary),
  )
  await t.rejects(checkpoint.open(), {
    code: 'PAWL_LOCK_UNSUPPORTED',
    message: /\{ lock: false \}/,
    cause: { code: 'ADDON_NOT_FOUND' },
  })
  t.notOk(existsSync(join(t.testdirName, 'log.pawl')))
})

await t.test(
  'a file system that cannot lock is said, and nothing is left',
  async (t) => {
    const path = logIn(t)
    const checkpoint = new FileCheckpoint(path, () =>
      platformLocker(
        'linux',
        new NativeBinary(() => ({
          tryLock() {
            throw Object.assign(new Error('no locks'), { code: 'ENOLCK' })
          },
        })),
      ),
    )
    await t.rejects(checkpoint.open(), { code: 'PAWL_LOCK_UNSUPPORTED' })
    t.notOk(existsSync(path))

    writeFileSync(path, '', { mode: 0o600 })
    await t.rejects(checkpoint.open(), { code: 'PAWL_LOCK_UNSUPPORTED' })
    t.ok(existsSync(path), 'a file that was there stays')
  },
)

await t.test('the native lock is on one byte far beyond any log', async (t) => {
  const path = logIn(t)
  const handle = await nodeFileSystem.open(path, 'new')
  const asked: unknown[] = []
  const locker = await platformLocker(
    'linux',
    new NativeBinary(() => ({
      tryLock: (...args: unknown[]) => asked.push(args) > 0,
    })),
  )
  const file: Lockable = { fd: handle.fd, device: 1n, inode: 2n }
  const held = await locker(file)
  await held?.release()
  t.strictSame(asked, [[handle.fd, 2 ** 40, 1]])
  await handle.close()
  const plain = await open(path)
  t.equal((await plain.stat()).size, 0)
  await plain.close()
})

await t.test(
  'the binary of the release that is known is loaded from its place',
  async (t) => {
    const asked: string[] = []
    const locks = loadNativeLocks((name) => {
      asked.push(name)
      return ownRequire(name)
    })
    const binary = `prebuilds/${process.platform}-${process.arch}/fs-native-extensions.node`
    t.strictSame(
      asked,
      ['package.json', binary].map((path) => `fs-native-extensions/${path}`),
      'and nothing else of its package: knownRelease is the one that is installed',
    )
    const path = logIn(t)
    writeFileSync(path, '')
    const [first, second] = [await open(path, 'r+'), await open(path, 'r+')]
    t.teardown(() => Promise.all([first.close(), second.close()]))
    t.equal(locks.tryLock(first.fd, 2 ** 40, 1), true)
    t.equal(locks.tryLock(second.fd, 2 ** 40, 1), false, 'it is held')
    t.equal(locks.tryLock(second.fd, 0, 1), true, 'another byte is free')
    const ofPackage = loadNativeLocks(otherRelease)
    t.equal(ofPackage.tryLock(second.fd, 2 ** 40, 1), false, 'and as ever')
    t.throws(() => locks.tryLock(-1, 0, 1), { code: 'EBADF' })
  },
)

function otherRelease(name: string): unknown {
  return name.endsWith('package.json') ? { version: '1.5.0' } : ownRequire(name)
}

await t.test(
  'where the binary is not in its place its package finds it, or says why not',
  async (t) => {
    const locks = { tryLock: () => true }
    const none = Object.assign(new Error('none'), { code: 'MODULE_NOT_FOUND' })
    const bad = Object.assign(new Error('bad'), { code: 'ERR_DLOPEN_FAILED' })
    for (const failure of [none, bad]) {
      for (const missing of ['.json', '.node']) {
        const found = loadNativeLocks((name) => {
          if (name === 'fs-native-extensions') return locks
          if (name.endsWith(missing)) throw failure
          return ownRequire(name)
        })
        t.equal(found, locks, `${failure.message}, of ${missing}`)
      }
    }
    t.throws(
      () =>
        loadNativeLocks(() => {
          throw none
        }),
      none,
    )
  },
)

await t.test(
  'for want of descriptors the package is not asked: it might see no binary',
  async (t) => {
    const tooMany = Object.assign(new Error('too many'), { code: 'EMFILE' })
    for (const missing of ['.json', '.node']) {
      const asked: string[] = []
      const load = (): unknown =>
        loadNativeLocks((name) => {
          asked.push(name)
          if (name.endsWith(missing)) throw tooMany
          return ownRequire(name)
        })
      t.throws(load, tooMany)
      t.notOk(asked.includes('fs-native-extensions'), missing)
    }
  },
)
