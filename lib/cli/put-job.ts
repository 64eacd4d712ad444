/** What `pawl put` was asked for, and what it has to do it with. */
import type { Interrupts } from './interrupts.js'
import type { JobReporter } from './job-reporter.js'
import type { PutFlags } from './put-options.js'
import type { Output, Reporter } from './reporter.js'
import type { Target } from './target.js'

export interface PutJob {
  /** Paths, or `-` alone. Empty with `exec`. */
  sources: readonly string[]
  target: Target
  flags: PutFlags
  reporter: Reporter
  interrupts: Interrupts
  log: Output
  /** For many files. */
  jobReporter: () => JobReporter
}
