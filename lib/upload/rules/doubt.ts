/**
 * What is believed of a request that makes the object, when it has failed. Pure.
 *
 * A lost answer, a time-out, a 5xx, `NoSuchUpload` or a conflict says nothing of
 * whether the object is there, and that sticks: after one such answer, of this run
 * or of an earlier one, every later failure is looked at before it is believed.
 */
import { areUnequal, equalParts } from '../../checkpoint/growth.js'
import type { StoreErrorKind } from '../../store/store-error.js'
import type { Listed } from './judge.js'
import { type Seen, sameEtag } from './proof.js'

/** What the answers of a run leave open so far. */
export class Doubt {
  #isOpen: boolean
  #isUnsure: boolean

  constructor(at: { isOpen: boolean; isUnsure: boolean }) {
    this.#isOpen = at.isOpen
    this.#isUnsure = at.isUnsure
  }

  /** The object may be there, whatever the next answer says. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** It may be ours, and not only because some object is there. */
  get isUnsure(): boolean {
    return this.#isUnsure
  }

  /** `mayHaveHappened`: in spite of the failure, the request may have been carried out. */
  hear(kind: StoreErrorKind | undefined, mayHaveHappened: boolean): void {
    if (mayHaveHappened) this.#isOpen = true
    if (this.#isOpen && kind !== 'exists') this.#isUnsure = true
  }
}

export interface FailedComplete {
  kind: StoreErrorKind
  /** No later Complete of the same upload could be answered otherwise. */
  isFinal: boolean
  isUnsure: boolean
  /** Where the server ignores that, a Complete replaces what is there. */
  forbidsOverwrite: boolean
}

/**
 * What to make of a Complete that failed, when neither the object nor the list of
 * parts says that it was carried out.
 *
 * - `theirs`: the answer is that there is an object, and it is another's.
 * - `seek`: the upload is gone, and its object not to be seen: it is looked for longer.
 * - `believe`: the answer is what it says.
 * - `exists`: another's is in the way.
 * - `again`: the same Complete may be sent again.
 */
export function afterComplete(
  { kind, isFinal, isUnsure, forbidsOverwrite }: FailedComplete,
  { is, found }: Seen,
  listed: Listed | 'gone',
): 'theirs' | 'seek' | 'believe' | 'exists' | 'again' {
  const isTheirs = is === 'other' && found !== 'absent'
  if (kind === 'exists' && isTheirs) return 'theirs'
  if (listed === 'gone') return 'seek'
  // Neither the object nor the parts can be seen: it may be our own that is there.
  const isOpen = kind === 'exists' && isUnsure && listed === 'refused'
  if (isFinal && !isOpen) return 'believe'
  return isTheirs && forbidsOverwrite ? 'exists' : 'again'
}

/**
 * What is wrong with an upload whose Complete was refused for certain: the numbers
 * of the parts that are not on the server as they were sent, or why it is void.
 * `wasDropped`: a part was sent anew for that before, by its number.
 */
export function faultOf(
  kind: StoreErrorKind,
  parts: readonly { partNumber: number; etag: string; size: number }[],
  listed: Listed | 'gone',
  wasDropped: (partNumber: number) => boolean,
): number[] | VoidReason {
  if (kind === 'too-small') return 'part-size'
  const numbers =
    typeof listed === 'string'
      ? []
      : parts
          .filter(({ partNumber, etag, size }) => {
            const there = listed.get(partNumber)
            return there?.size !== size || !sameEtag(there.etag, etag)
          })
          .map(({ partNumber }) => partNumber)
  // Some servers refuse a Complete that leaves parts out, which others have sent; and a
  // list that lags shows parts as they were before they were sent anew.
  const named = new Set(parts.map(({ partNumber }) => partNumber))
  const hasMore =
    typeof listed === 'object' &&
    [...listed.keys()].some((partNumber) => !named.has(partNumber))
  const isInVain = hasMore && numbers.some(wasDropped)
  if (numbers.length > 0 && !isInVain) return numbers
  return !hasMore && areUnequal(parts) ? equalParts : 'complete-refused'
}

export type VoidReason = 'part-size' | 'complete-refused' | typeof equalParts
