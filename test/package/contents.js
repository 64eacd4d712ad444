/** What the package holds: what runs, what describes it, and nothing else. */
import { linksOf } from '../support/links.js'

const documents = new Set([
  'bench/README.md',
  'CHANGELOG.md',
  'docs/api/README.md',
  'docs/cookbook.md',
  'docs/examples/database-dump.ts',
  'LICENSE',
  'README.md',
  'SECURITY.md',
  'lib/checkpoint/FORMAT.md',
  'lib/store/s3/SERVERS.md',
  'package.json',
])

/** Pages, pictures and examples, so that links lead somewhere. */
const pages =
  /^(?:docs\/(?:[\w-]+\/)*[\w-]+\.(?:md|svg)|docs\/examples\/[\w-]+\.(?:d\.)?ts|bench\/results\/[\d-]+\.svg)$/

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
  'dist/index.d.cts',
  'dist/dev-server/index.js',
  'dist/dev-server/index.d.ts',
  'dist/dev-server/index.d.cts',
  'dist/fleet/index.js',
  'dist/fleet/index.d.ts',
  'dist/fleet/index.d.cts',
  'dist/shared/index.js',
  'dist/shared/index.d.ts',
  'dist/shared/index.d.cts',
  'dist/testing/index.js',
  'dist/testing/index.d.ts',
  'dist/testing/index.d.cts',
  'dist/lease/redis.js',
  'dist/lease/redis.d.ts',
  'dist/lease/redis.d.cts',
  'dist/lease/postgres.js',
  'dist/lease/postgres.d.ts',
  'dist/lease/postgres.d.cts',
  'dist/cli/main.js',
  'dist/hash/digest-worker.js',
  ...shared,
]

/** Links of the README, and of pages that it leads to, to what is not there. */
export function deadLinks(paths, read) {
  const there = new Set(paths)
  const dead = []
  for (const from of paths.filter((path) => path.endsWith('.md'))) {
    for (const { path } of linksOf(from, read(from))) {
      const isThere =
        there.has(path) || paths.some((other) => other.startsWith(`${path}/`))
      if (!isThere) dead.push(`${from}: ${path}`)
    }
  }
  return dead
}

/** Paths that do not belong there, and those that are missing. */
export function strangers(paths) {
  const there = new Set(paths)
  const missing = [...documents, ...entries]
    .filter((path) => !there.has(path))
    .map((path) => `missing: ${path}`)
  const isOurs = (path) =>
    documents.has(path) ||
    shared.includes(path) ||
    pages.test(path) ||
    /^dist\/[a-z0-9/-]+\.(?:js|d\.c?ts)$/.test(path) ||
    /^dist\/common\/[a-z0-9-]+-[A-Z0-9]{8}\.js$/.test(path)
  return [...missing, ...paths.filter((path) => !isOurs(path))]
}
