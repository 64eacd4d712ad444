/** The figures of an upload in words: stored, rate, time left, what was reused. */
import type { Progress } from '../index.js'
import { Rate } from './rate.js'
import { countOf, formatDuration, formatSize } from './units.js'

export interface ProgressFigures {
  stored: string
  rate: string
  left: string
  reused: string
  /** From 0 to 100; undefined when the total is not known. */
  percent: number | undefined
}

export class ProgressText {
  readonly #sent = new Rate()
  #partsReused = 0

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
    const { bytesStored, bytesTotal, bytesSent } = progress
    this.#sent.add(bytesSent, time)
    const perSecond = this.#sent.perSecond
    const rest = bytesTotal === undefined ? undefined : bytesTotal - bytesStored
    const left = rest === undefined ? undefined : this.#sent.timeFor(rest)
    const parts = this.#partsReused
    return {
      stored:
        bytesTotal === undefined
          ? formatSize(bytesStored)
          : `${formatSize(bytesStored)} of ${formatSize(bytesTotal)}`,
      rate: perSecond === undefined ? '' : `${formatSize(perSecond)}/s`,
      left: left === undefined ? '' : `${formatDuration(left)} left`,
      reused: parts === 0 ? '' : `${countOf(parts, 'part')} reused`,
      percent:
        bytesTotal === undefined
          ? undefined
          : bytesTotal === 0
            ? 100
            : Math.floor((bytesStored / bytesTotal) * 100),
    }
  }

  /** One line of them. */
  line(progress: Progress, time: number): string {
    const figures = this.figures(progress, time)
    const { percent, stored, rate, left, reused } = figures
    const share = percent === undefined ? '' : `${percent}%`
    return [share, stored, rate, left, reused]
      .filter((text) => text !== '')
      .join(', ')
  }
}
