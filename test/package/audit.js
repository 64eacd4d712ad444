/**
 * Known vulnerabilities of what is installed with pawl. Fails when there are
 * any; when nobody can be asked, says so and does not fail: an outage of the
 * registry is no fault of the package.
 */
import { spawnSync } from 'node:child_process'

const { stdout, error } = spawnSync(
  'npm',
  ['audit', '--omit=dev', '--json', '--fetch-retries=1'],
  {
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
  console.error('*'.repeat(72))
  console.error(
    'NOT CHECKED for known vulnerabilities: no answer of the registry',
  )
  console.error(report.message)
  console.error('*'.repeat(72))
} else {
  const found = Object.values(report.vulnerabilities)
  for (const { name, severity, range } of found) {
    console.error(`${severity}: ${name} ${range}`)
  }
  console.log(`${found.length} packages with known vulnerabilities`)
  process.exitCode = found.length === 0 ? 0 : 1
}
