/** How the command and those of others are started, each with its configuration. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export const pawl = (...words) => [process.execPath, main, ...words]

export const aws = ({ port }, ...words) => [
  '/usr/bin/aws',
  '--endpoint-url',
  `http://127.0.0.1:${port}`,
  ...words,
]

/** With a remote that is called `dev`. */
export async function rclone({ port, directory }) {
  const file = join(directory, `rclone-${port}.conf`)
  await writeFile(
    file,
    `[dev]\ntype = s3\nprovider = Other\nendpoint = http://127.0.0.1:${port}\n` +
      'access_key_id = dev\nsecret_access_key = dev-secret\nregion = us-east-1\n',
  )
  return (...words) => ['/usr/bin/rclone', '--config', file, ...words]
}

export async function s3cmd({ port, directory }) {
  const host = `127.0.0.1:${port}`
  const file = join(directory, `s3cfg-${port}`)
  await writeFile(
    file,
    '[default]\naccess_key = dev\nsecret_key = dev-secret\n' +
      `host_base = ${host}\nhost_bucket = ${host}/%(bucket)\n` +
      'use_https = False\nsignature_v2 = False\n',
  )
  return (...words) => ['/usr/bin/s3cmd', '-c', file, ...words]
}
