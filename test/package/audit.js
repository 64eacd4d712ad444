/**
 * What is installed with pawl: for each direct dependency the packages and bytes that
 * it brings, how many of them have known vulnerabilities, and why it is there. Fails
 * when a package has one; when the registry does not answer, says so and does not
 * fail: an outage of the registry is no fault of the package.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { costLines, dependencyCosts } from './dependency-cost.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const costs = dependencyCosts(root)

const { stdout, error } = spawnSync(
  'npm',
  ['audit', '--omit=dev', '--json', '--fetch-retries=1'],
  {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    timeout: 120_000,
    maxBuffer: 64 * 1024 * 1024,
  },
)
if (error !== undefined) throw error
const report = JSON.parse(stdout)
if (report.vulnerabilities === undefined) {
  // A request that failed has a message; a lock file that does not fit has a code.
  if (report.message === undefined || report.error?.code !== undefined) {
    throw new Error(`npm audit said ${stdout}`)
  }
  for (const line of costLines(costs)) console.log(line)
  console.error('*'.repeat(72))
  console.error(
    'NOT CHECKED for known vulnerabilities: no answer of the registry',
  )
  console.error(report.message)
  console.error('*'.repeat(72))
} else {
  const found = Object.values(report.vulnerabilities)
  const advisories = new Set(found.map(({ name }) => name))
  for (const line of costLines(costs, advisories)) console.log(line)
  for (const { name, severity, range } of found) {
    console.error(`${severity}: ${name} ${range}`)
  }
  console.log(`${found.length} packages with known vulnerabilities`)
  process.exitCode = found.length === 0 ? 0 : 1
}
