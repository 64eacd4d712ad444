/** A bar on a terminal, a line now and then elsewhere. */
import cliProgress from 'cli-progress'

const MiB = 1024 * 1024

export class ProgressLine {
  #bar
  #next = 0
  #total

  constructor(total) {
    this.#total = total
    if (!process.stdout.isTTY) return
    this.#bar = new cliProgress.SingleBar({
      format:
        total === undefined
          ? '  {stored} MiB stored, {reused} MiB of them before'
          : '  [{bar}] {percentage}% {stored} MiB, {reused} MiB of them stored before',
      hideCursor: true,
    })
    this.#bar.start(total ?? 1, 0, { stored: 0, reused: 0 })
  }

  say(text) {
    console.log(`  ${text}`)
  }

  show({ bytesStored, bytesReused }) {
    const stored = (bytesStored / MiB).toFixed(0)
    const reused = (bytesReused / MiB).toFixed(0)
    if (this.#bar !== undefined) {
      this.#bar.update(this.#total === undefined ? 0 : bytesStored, {
        stored,
        reused,
      })
      return
    }
    if (Date.now() < this.#next) return
    this.#next = Date.now() + 500
    console.log(`  ${stored} MiB stored, ${reused} MiB of them before`)
  }

  end() {
    this.#bar?.stop()
  }
}
