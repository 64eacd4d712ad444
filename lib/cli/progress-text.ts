/** The figures of an upload in words: done, rate, time left, what was reused. */
import type { Progress } from '../index.js'
import { Rate } from './rate.js'
import { countOf, formatDuration, formatSize } from './units.js'

export interface ProgressFigures {
  done: string
  rate: string
  left: string
  reused: string
  /** From 0 to 100; undefined when the total is not known. */
  percent: number | undefined
}

export class ProgressText {
  readonly #rate = new Rate()
  #partsReused = 0
  /** Bytes that this run has brought, whatever became of their upload. */
  #brought = 0
  #before = 0

  /** A part was there already. */
  countReused(): void {
    this.#partsReused++
  }

  /** What was counted belonged to an upload that was given up. */
  startOver(): void {
    this.#partsReused = 0
  }

  /** `time` in ms, from any clock that only goes forward. */
  figures(progress: Progress, time: number): ProgressFigures {
    const { bytesDone, bytesTotal, bytesReused, bytesMost } = progress
    const own = bytesDone - bytesReused
    this.#brought += Math.max(0, own - this.#before)
    this.#before = own
    this.#rate.add(this.#brought, time)
    const parts = this.#partsReused
    return {
      ...figuresOf(bytesDone, bytesTotal, this.#rate),
      ...(bytesMost !== undefined && { done: mostText(bytesDone, bytesMost) }),
      reused: parts === 0 ? '' : `${countOf(parts, 'part')} reused`,
    }
  }

  /** One line of them. */
  line(progress: Progress, time: number): string {
    const figures = this.figures(progress, time)
    const { percent, done, rate, left, reused } = figures
    const share = percent === undefined ? '' : `${percent}%`
    return [share, done, rate, left, reused]
      .filter((text) => text !== '')
      .join(', ')
  }
}

/** Of an upload whose total is not known. */
function mostText(bytes: number, most: number): string {
  return `${formatSize(bytes)} of at most ${formatSize(most)}`
}

/** All of them but what was reused. */
export function figuresOf(
  bytes: number,
  total: number | undefined,
  rate: Rate,
): Omit<ProgressFigures, 'reused'> {
  const { perSecond } = rate
  const rest = total === undefined ? 0 : total - bytes
  const left = rest > 0 ? rate.timeFor(rest) : undefined
  return {
    done:
      total === undefined
        ? formatSize(bytes)
        : `${formatSize(bytes)} of ${formatSize(total)}`,
    rate: perSecond === undefined ? '' : `${formatSize(perSecond)}/s`,
    left: left === undefined ? '' : `${formatDuration(left)} left`,
    percent:
      total === undefined
        ? undefined
        : total === 0
          ? 100
          : Math.floor((bytes / total) * 100),
  }
}
