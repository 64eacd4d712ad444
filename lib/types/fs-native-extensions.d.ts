declare module 'fs-native-extensions' {
  /** Takes an exclusive OFD lock at once; false when somebody holds it. */
  export function tryLock(fd: number, offset?: number, length?: number): boolean
  export function unlock(fd: number, offset?: number, length?: number): void
}
