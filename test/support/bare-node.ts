/**
 * A command line that runs Node as users do. The test runner puts a loader into
 * every child, which takes longer to load than most children run.
 */
export function bareNode(...args: string[]): [string, string[]] {
  return ['env', ['-u', 'NODE_OPTIONS', process.execPath, ...args]]
}
