/** What must be true of what a caller hears while a run goes on. */
import type { Run } from '../run.js'
import { ifSuccess, type Check } from './check.js'

export const ofEvents: readonly Check<[Run]>[] = [
  {
    name: 'progress never goes back',
    says: 'No counter falls, unless the upload begins anew, or exceeds the whole.',
    of: (_scene, run) => progressIsTrue(run),
  },
  {
    name: 'the stream finishes with its object',
    says: 'finish comes when the run resolves, and only then.',
    of(_scene, { plan, outcome, hasFinished }) {
      if (plan.style === 'file' || outcome?.kind !== 'failure') return undefined
      return hasFinished ? 'it has finished, and rejects' : undefined
    },
  },
  {
    name: 'a part is told of once',
    says: 'Every part has one event, and one only, unless the upload begins anew.',
    of: ifSuccess((_scene, { parts, restarts }) => {
      const numbers = parts.map(({ partNumber }) => partNumber)
      const isOnce = new Set(numbers).size === numbers.length
      return isOnce || restarts.length > 0
        ? undefined
        : `events of parts ${numbers.join()}`
    }),
  },
]

function progressIsTrue({
  progress,
  restarts,
  sources,
}: Run): string | undefined {
  const counters = [
    'bytesRead',
    'bytesSent',
    'bytesStored',
    'bytesReused',
    'bytesDone',
  ] as const
  for (const [index, now] of progress.entries()) {
    const before = progress[index - 1]
    const total = Math.max(...sources.map(({ length }) => length))
    const { bytesStored, bytesDone } = now
    if (bytesStored > bytesDone || bytesDone > total) {
      return `${bytesStored} bytes stored, ${bytesDone} done of ${total}`
    }
    if (before === undefined || restarts.includes(index)) continue
    const fallen = counters.find((counter) => now[counter] < before[counter])
    if (fallen !== undefined) {
      return `${fallen} falls from ${before[fallen]} to ${now[fallen]}`
    }
  }
  return undefined
}
