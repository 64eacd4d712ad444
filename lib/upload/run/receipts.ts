/** What is known of the stored parts of one upload, by part number. */
import type { PartCheck } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'

export interface Receipt {
  size: number
  /** As the server spelled it. */
  etag: string
  crc64?: string | undefined
  md5?: string | undefined
  check: PartCheck
}

const strength: Record<PartCheck, number> = { none: 0, md5: 1, crc64: 2 }

export class Receipts {
  readonly #byNumber = new Map<number, Receipt>()

  get size(): number {
    return this.#byNumber.size
  }

  set(partNumber: number, receipt: Receipt): void {
    this.#byNumber.set(partNumber, receipt)
  }

  /**
   * Parts 1 to `count`, which must all be there and together be of `size`:
   * nothing is completed without a receipt for every part.
   */
  inOrder(count: number, size: number): (Receipt & { partNumber: number })[] {
    const parts: (Receipt & { partNumber: number })[] = []
    let sum = 0
    for (let partNumber = 1; partNumber <= count; partNumber++) {
      const receipt = this.#byNumber.get(partNumber)
      if (receipt === undefined) {
        throw new UploadError(
          'PAWL_INVALID_STATE',
          `part ${partNumber} of ${count} has no receipt; nothing was completed`,
          { partNumber, resumable: true },
        )
      }
      sum += receipt.size
      parts.push({ partNumber, ...receipt })
    }
    if (sum !== size || this.#byNumber.size !== count) {
      throw new UploadError(
        'PAWL_INVALID_STATE',
        `${this.#byNumber.size} parts of ${sum} bytes are stored, expected ${count} of ${size}; nothing was completed`,
        { resumable: true },
      )
    }
    return parts
  }
}

/** The weakest of some checks. */
export function weakest(checks: readonly PartCheck[]): PartCheck {
  let least: PartCheck = 'crc64'
  for (const check of checks) {
    if (strength[check] < strength[least]) least = check
  }
  return least
}
