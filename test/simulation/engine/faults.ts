/** How a step of the engine can go wrong, each in one row. */

export interface EngineFault {
  readonly name: string
  readonly weight: number
  /** Follows the name of the step. */
  readonly story: string
  /** Absent: at once, and once. */
  readonly effect?: 'none' | 'late' | 'twice'
  /** What its client hears; absent: the answer. */
  readonly hears?: 'nothing' | 'lost connection'
  /** So does every other step for a while. */
  readonly isAway?: true
}

export const engineFaults: readonly EngineFault[] = [
  {
    name: 'engine-lost-request',
    weight: 2,
    story: 'is lost on its way',
    effect: 'none',
    hears: 'lost connection',
  },
  {
    name: 'engine-lost-reply',
    weight: 3,
    story: 'is done, and its answer lost',
    hears: 'lost connection',
  },
  {
    name: 'engine-silent',
    weight: 2,
    story: 'is done, and never answered',
    hears: 'nothing',
  },
  {
    name: 'engine-late',
    weight: 3,
    story: 'is done long after its client gave up',
    effect: 'late',
    hears: 'nothing',
  },
  {
    name: 'engine-twice',
    weight: 2,
    story: 'is done twice, and the second answer arrives',
    effect: 'twice',
  },
  {
    name: 'engine-away',
    weight: 3,
    story: 'is not answered, nor is any other for a while',
    effect: 'none',
    hears: 'nothing',
    isAway: true,
  },
]

/** What can keep a run from writing down what it knows. */
export const engineTroubles = engineFaults.map(({ name }) => name)
