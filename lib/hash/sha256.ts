/** SHA-256 of what is all here. */
import { hash } from 'node:crypto'

/** In hex; of a string its UTF-8. */
export function sha256(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex')
}
