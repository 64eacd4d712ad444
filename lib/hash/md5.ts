/** MD5, which a process under FIPS does not have. */
import { createHash } from 'node:crypto'

/** Asked when it is needed: a process may go over to FIPS while it runs. */
export function hasMd5(): boolean {
  try {
    createHash('md5')
    return true
  } catch {
    return false
  }
}
