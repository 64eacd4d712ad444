/**
 * The native binary that locks open files, and the shortages for which it cannot be
 * loaded just now.
 *
 * Its package finds it with a resolver of a dozen files, which takes longer than half of
 * this library's own code. So it is loaded from its place in the release whose arguments
 * are known here; in any other, and where it is not there, the package finds it.
 */
import { ownRequire } from '../own-require.js'
import { isError, systemCode } from '../realm.js'

/** Spelled out: users' compilers see no types of the package that has it. */
export interface NativeLocks {
  /** Takes the exclusive lock of some bytes at once; false when somebody holds it. */
  tryLock: (fd: number, offset: number, length: number) => boolean
}

/** The binary itself: it throws `EAGAIN` when somebody holds the lock. */
interface Binary {
  tryLock: (
    fd: number,
    offset: number,
    length: number,
    isExclusive: boolean,
  ) => void
}

const name = 'fs-native-extensions'
const knownRelease = '1.5.1'

/**
 * Throws what the system or the package said. A shortage is thrown as it is, also in
 * front of the package, which might take what it cannot read for absent.
 */
export function loadNativeLocks(require = ownRequire): NativeLocks {
  try {
    const direct = binaryOf(require)
    if (direct !== undefined) return locksOf(direct)
  } catch (error) {
    if (isShortage(error)) throw error
  }
  // The package has no types of its own.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return require(name) as NativeLocks
}

/** Undefined in a release that is not known. */
function binaryOf(require: (name: string) => unknown): Binary | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { version } = require(`${name}/package.json`) as { version?: unknown }
  if (version !== knownRelease) return undefined
  const host = `${process.platform}-${process.arch}`
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return require(`${name}/prebuilds/${host}/${name}.node`) as Binary
}

function locksOf(binary: Binary): NativeLocks {
  return {
    tryLock(fd, offset, length) {
      try {
        binary.tryLock(fd, offset, length, true)
      } catch (error) {
        if (systemCode(error) === 'EAGAIN') return false
        throw error
      }
      return true
    },
  }
}

/** What a process or a machine may have again in a moment. */
const shortages = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN'])

/** The loader of binaries says it in words alone. */
const shortageText = /too many open files|cannot allocate memory/i

export function isShortage(error: unknown): boolean {
  if (shortages.has(systemCode(error))) return true
  if (!isError(error)) return false
  return shortageText.test(error.message) || isShortage(error.cause)
}
