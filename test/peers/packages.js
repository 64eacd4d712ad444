/** Debian's packages, installed when they are missing. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export async function installed(packages) {
  const missing = []
  for (const name of packages) {
    if (!(await isInstalled(name))) missing.push(name)
  }
  if (missing.length === 0) return
  console.log(`installing ${missing.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await execute('apt-get', ['update', '-q'], { env })
  await execute(
    'apt-get',
    ['install', '-q', '-y', '--no-install-recommends', ...missing],
    { env, maxBuffer: 2 ** 26 },
  )
}

async function isInstalled(name) {
  try {
    const { stdout } = await execute('dpkg-query', ['-W', '-f=${Status}', name])
    return stdout === 'install ok installed'
  } catch {
    // dpkg has never heard of it.
    return false
  }
}
