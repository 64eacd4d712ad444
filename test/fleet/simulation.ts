/**
 * A fleet in seconds of simulated time: slices, deaths, leases and the quotas of a
 * store. What it leaves out are single requests: in a second each machine gets its
 * share of what the store gives. Deterministic for a seed.
 */
import { randomFrom } from '../support/seed.js'

export interface FleetModel {
  files: number
  /** Bytes of each. */
  fileSize: number
  sliceFiles: number
  machines: number
  /** Bytes a second of one machine. */
  line: number
  /** Files in flight of one machine. */
  atOnce: number
  /** Seconds that a small request takes. */
  latency: number
  /** Of the store, for all machines. */
  quota: { requests: number; bytes: number }
  /** Seconds that a machine lives on average; Infinity: for ever. */
  life: number
  /** Seconds from a death until its slice is another's. */
  lease: number
  /** Seconds until a machine is there again. */
  restart: number
  seed: number
}

export interface FleetOutcome {
  /** Of simulated time. */
  seconds: number
  deaths: number
  /**
   * Files' worth of bytes that were sent again: of what is under way at a death each
   * is half sent. What has become an object is asked for, and not sent again.
   */
  repeated: number
  /** Objects that were asked for, since their slice had been begun before. */
  asked: number
}

interface Machine {
  /** Files of its slice that are left, when it has one. */
  left: number
  /** Files of its slice that are there, and that nobody has noted. */
  there: number
  /** Another has had its slice, so each file is asked for before it is sent. */
  isAgain: boolean
  /** Files of its slice that it made in the last second. */
  made: number
  /** Second from which on it works again. */
  from: number
}

/** Requests beside those of files: the slice, what is done, its end. */
const requestsOfSlice = 4

export function simulateFleet(model: FleetModel): FleetOutcome {
  const { machines, sliceFiles, quota, life, lease, restart } = model
  const random = randomFrom(model.seed)
  const working: Machine[] = Array.from({ length: machines }, () => ({
    left: 0,
    there: 0,
    isAgain: false,
    made: 0,
    from: 0,
  }))
  /** Slices of dead machines, and when another may have them. */
  const lost: { left: number; there: number; from: number }[] = []
  let unplanned = model.files
  let repeated = 0
  let asked = 0
  let deaths = 0
  const requestsOfFile = 1 + requestsOfSlice / sliceFiles
  const hasWork = (machine: Machine, second: number): boolean => {
    if (machine.left > 0) return true
    const index = lost.findIndex(({ from }) => from <= second)
    machine.made = 0
    machine.isAgain = index >= 0
    if (index >= 0) {
      const [{ left, there } = { left: 0, there: 0 }] = lost.splice(index, 1)
      machine.left = left
      machine.there = there
    } else {
      machine.left = Math.min(sliceFiles, unplanned)
      unplanned -= machine.left
    }
    return machine.left > 0
  }
  for (let second = 0; ; second++) {
    const busy = working.filter(
      (machine) => machine.from <= second && hasWork(machine, second),
    )
    if (busy.length === 0 && unplanned === 0 && lost.length === 0) {
      return { seconds: second, deaths, repeated, asked }
    }
    const shared = Math.max(1, busy.length)
    const size = Math.max(1, model.fileSize)
    const rate = Math.min(
      model.line / size,
      model.atOnce / model.latency,
      quota.requests / requestsOfFile / shared,
      quota.bytes / size / shared,
    )
    const asking = Math.min(
      model.atOnce / model.latency,
      quota.requests / shared,
    )
    for (const machine of busy) {
      if (random() < 1 / life) {
        deaths += 1
        repeated += Math.min(machine.left, model.atOnce) / 2
        // What is done is noted once a second: half of that is not.
        const there = machine.there + machine.made / 2
        lost.push({ left: machine.left, there, from: second + lease })
        machine.left = 0
        machine.there = 0
        machine.from = second + restart
        continue
      }
      machine.made = 0
      // One slice after the other, for as long as the second lasts.
      for (let able = 1; able > 0 && hasWork(machine, second);) {
        const heads = Math.min(machine.there, able * asking)
        machine.there -= heads
        asked += heads
        able -= heads / asking
        const each = 1 / rate + (machine.isAgain ? 1 / asking : 0)
        const made = Math.min(machine.left, able / each)
        machine.left -= made
        machine.made += made
        if (machine.isAgain) asked += made
        able -= made * each
      }
    }
  }
}
