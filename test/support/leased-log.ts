/**
 * A log that several machines reach, in memory: what a service does for a leased
 * sink, without the service. Each machine has a hold of its own; a newer one
 * refuses the older ones, whatever they still believe.
 */
import { UploadError, type Checkpoint } from '../../lib/index.js'

export interface LeasedLog {
  /** Appends so far: the records of each. */
  readonly appends: string[]
  /** Takes the log from whoever has it, as after a lease that has run out. */
  take(hold?: LeasedHold): Checkpoint & { lose(): void }
  /** Loses the last appends, as a failover to a server that lags behind. */
  loseTail(appends: number): void
}

/** What a hold says of itself. */
export interface LeasedHold {
  canLose?: boolean
  freeFor?: number
  linger?: number
}

export function leasedLog(): LeasedLog {
  const appends: string[] = []
  let holder: object | undefined
  const lost = (): UploadError =>
    new UploadError('PAWL_CHECKPOINT_LOST', 'another run has taken the log', {
      resumable: true,
    })
  return {
    appends,
    loseTail: (count) => void appends.splice(appends.length - count),
    take: (hold = {}) => {
      const token = {}
      const ending = new AbortController()
      let size = 0
      const mustHold = (): void => {
        if (holder !== token) throw lost()
      }
      return {
        ...hold,
        name: 'a log on a service',
        isLeased: true,
        lost: ending.signal,
        lose: () => {
          holder = undefined
          ending.abort(lost())
        },
        async open() {
          holder = token
          const bytes = Buffer.from(appends.join(''), 'latin1')
          size = bytes.length
          return bytes
        },
        async append(bytes) {
          mustHold()
          if (appends.join('').length !== size) throw lost()
          appends.push(Buffer.from(bytes).toString('latin1'))
          size += bytes.length
        },
        async setAside() {
          mustHold()
          appends.length = 0
          size = 0
          return 'a log on a service, damaged'
        },
        async remove() {
          mustHold()
          appends.length = 0
          holder = undefined
          return true
        },
        async close() {
          if (holder === token) holder = undefined
        },
        async confirm() {
          mustHold()
        },
      }
    },
  }
}

/** The types of the records in some bytes of a log, in order, each once. */
export function typesIn(bytes: string): string[] {
  const found = [...bytes.matchAll(/^[0-9a-f]{16} (\d+) (\w+) /gm)]
  const bySeq = new Map(found.map(([, seq = '', type = '']) => [seq, type]))
  return [...bySeq.values()]
}
