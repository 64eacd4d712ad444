/** Which processes a process has started, and those in turn. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** Those nearest to it first. Empty where the system does not say it. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const [child, parent] of parents()) {
    children.set(parent, [...(children.get(parent) ?? []), child])
  }
  const found = new Set(children.get(pid))
  // A set is gone through to its end, what is added on the way included.
  for (const next of found) {
    for (const child of children.get(next) ?? []) found.add(child)
  }
  return [...found]
}

/** Pairs of a process and its parent. */
function parents(): [number, number][] {
  return process.platform === 'linux' ? fromProc() : fromPs()
}

function fromProc(): [number, number][] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        // Behind the name, which may hold anything: state and parent.
        const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return [[Number(name), Number(parent)]] satisfies [number, number][]
      } catch {
        // The process has ended.
        return []
      }
    })
}

function fromPs(): [number, number][] {
  try {
    return execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => {
        const [pid = 0, parent = 0] = line.trim().split(/\s+/).map(Number)
        return [pid, parent]
      })
  } catch {
    return []
  }
}
