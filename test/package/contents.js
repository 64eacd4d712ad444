/** What the package holds: what runs, what describes it, and nothing else. */
const documents = new Set([
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'lib/checkpoint/FORMAT.md',
  'package.json',
])

/** For the shell: the manual page, and completion. */
const shared = [
  'dist/share/_pawl',
  'dist/share/pawl.1',
  'dist/share/pawl.bash',
  'dist/share/pawl.fish',
]

/** Has to be there besides the documents. */
const entries = [
  'dist/index.js',
  'dist/index.d.ts',
  'dist/dev-server/index.js',
  'dist/dev-server/index.d.ts',
  'dist/fleet/index.js',
  'dist/fleet/index.d.ts',
  'dist/shared/index.js',
  'dist/shared/index.d.ts',
  'dist/cli/main.js',
  'dist/hash/digest-worker.js',
  ...shared,
]

/** Paths that do not belong there, and those that are missing. */
export function strangers(paths) {
  const there = new Set(paths)
  const missing = [...documents, ...entries]
    .filter((path) => !there.has(path))
    .map((path) => `missing: ${path}`)
  const isOurs = (path) =>
    documents.has(path) ||
    shared.includes(path) ||
    /^dist\/[a-z0-9/-]+\.(?:js|d\.ts)$/.test(path)
  return [...missing, ...paths.filter((path) => !isOurs(path))]
}
