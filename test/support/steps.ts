/**
 * Steps of an upload: every call of the disk and of the store, before and after.
 * What happens at one of them is for the test to say: a kill, or a power loss.
 */
import type { FileSystem, LogHandle } from '../../lib/checkpoint/file-system.js'
import type { ObjectStore } from '../../lib/store/object-store.js'
import { wrapStore } from './small-store.js'

/** Called with the name of each step, such as `before datasync`. */
export type OnStep = (name: string) => void

export function storeWithSteps(store: ObjectStore, step: OnStep): ObjectStore {
  return wrapStore(store, {
    limits: { minPartSize: 1 },
    around: (call, run) => around(step, call, run),
  })
}

export function diskWithSteps(disk: FileSystem, step: OnStep): FileSystem {
  const pass = <T>(name: string, run: () => Promise<T>): Promise<T> =>
    around(step, name, run)
  const handleOf = (handle: LogHandle): LogHandle => ({
    fd: handle.fd,
    stat: () => handle.stat(),
    read: (into, position) => handle.read(into, position),
    write: (bytes) => pass('write', () => handle.write(bytes)),
    chmod: (mode) => pass('chmod', () => handle.chmod(mode)),
    datasync: () => pass('datasync', () => handle.datasync()),
    empty: () => pass('empty', () => handle.empty()),
    close: () => handle.close(),
  })
  return {
    open: async (path, how) =>
      handleOf(await pass(`open ${how}`, () => disk.open(path, how))),
    isDirectory: (path) => disk.isDirectory(path),
    lstat: (path) => disk.lstat(path),
    link: (from, to) => pass('link', () => disk.link(from, to)),
    unlink: (path) => pass('unlink', () => disk.unlink(path)),
    syncDirectory: (path) =>
      pass('syncDirectory', () => disk.syncDirectory(path)),
  }
}

async function around<T>(
  step: OnStep,
  name: string,
  run: () => Promise<T>,
): Promise<T> {
  step(`before ${name}`)
  const answer = await run()
  step(`after ${name}`)
  return answer
}
