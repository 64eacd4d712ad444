/** MD5, which a process under FIPS does not have. */
import { createHash, getFips } from 'node:crypto'

/** By whether the process is under FIPS, as it may go over to it while it runs. */
const known = new Map<number, boolean>()

/** To be asked at each use: FIPS may be switched on while the process runs. */
export function hasMd5(): boolean {
  const fips = getFips()
  const found = known.get(fips) ?? canMake()
  known.set(fips, found)
  return found
}

/** A Content-MD5, which is base64, as ETags and logs spell it. */
export function md5Hex(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex')
}

function canMake(): boolean {
  try {
    createHash('md5')
    return true
  } catch {
    return false
  }
}
