import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../realm.js'
import { invalidOption } from '../../errors.js'

const lockName = 'lock'

/** Spelled out: users' compilers see no types of the package that has it. */
interface NativeLocks {
  tryLock: (fd: number, offset: number, length: number) => boolean
}

/** A directory that no other server can have meanwhile. */
export interface HeldDirectory {
  /** A second time it does nothing. */
  release(): void
}

/**
 * Takes a directory for one server: two would delete each other's files. The
 * lock is the operating system's, on a file that stays: it goes when its holder
 * dies, however that happens. Where no native lock can be had it is said in a
 * word, and nothing is held.
 */
export async function holdDirectory(
  root: string,
  warn: (text: string) => void,
  load: () => Promise<NativeLocks> = () => import('fs-native-extensions'),
): Promise<HeldDirectory> {
  const fd = openSync(join(root, lockName), 'a')
  let isOurs: boolean
  try {
    const { tryLock } = await load()
    isOurs = tryLock(fd, 0, 1)
  } catch (error) {
    const reason = messageOf(error)
    warn(
      `${root} cannot be locked; start no second server on it (${reason.split('\n')[0]})`,
    )
    isOurs = true
  }
  if (!isOurs) {
    closeSync(fd)
    invalidOption(
      `directory: another dev server uses ${root}; stop it, or name another one`,
    )
  }
  return {
    release: () => {
      if (isOurs) closeSync(fd)
      isOurs = false
    },
  }
}
