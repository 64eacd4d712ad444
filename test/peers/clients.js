/** What is typed for one job, with each command. */
import { fileURLToPath } from 'node:url'
import { accessKey, secretKey } from './desk.js'

const pawl = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const words = (text) => text.split(' ')

/** Parts of 5 MiB for all, so that a part is as much to lose with each of them. */
export const awsConfig =
  '[default]\nregion = us-east-1\ns3 =\n  multipart_chunksize = 5MB\n  multipart_threshold = 5MB\n'

export const rcloneConfig = (endpoint, keys) =>
  `[dev]\ntype = s3\nprovider = Other\nendpoint = ${endpoint}\nregion = us-east-1\n${keys}`

export const rcloneKeys = (secret = secretKey) =>
  `access_key_id = ${accessKey}\nsecret_access_key = ${secret}\n`

export const s3cfg = (host, keys) =>
  `[default]\n${keys}host_base = ${host}\nhost_bucket = ${host}/%(bucket)\nuse_https = False\nsignature_v2 = False\n`

export const s3cmdKeys = (secret = secretKey) =>
  `access_key = ${accessKey}\nsecret_key = ${secret}\n`

const rclone = ['/usr/bin/rclone', '--config', 'rclone.conf']
const s3cmd = ['/usr/bin/s3cmd', '-c', 's3cfg']

/** `at`: the endpoint. Paths are relative to the working directory. */
export const clients = {
  pawl: {
    file: (at, path, to) => [
      process.execPath,
      pawl,
      ...words(
        `put --endpoint ${at} --part-size 5MiB ${path} s3://peers/${to}`,
      ),
    ],
    tree: (at, path, to) => [
      process.execPath,
      pawl,
      ...words(`put -r --endpoint ${at} ${path} s3://peers/${to}/`),
    ],
    pipe: (at, command, to) => [
      process.execPath,
      pawl,
      ...words(`put --endpoint ${at} s3://peers/${to} --exec`),
      command,
    ],
    quiet: ['--quiet'],
    dryRun: ['--dry-run'],
    completion: [process.execPath, pawl, 'completion', 'bash'],
  },
  'AWS CLI': {
    file: (at, path, to) =>
      words(`/usr/bin/aws --endpoint-url ${at} s3 cp ${path} s3://peers/${to}`),
    tree: (at, path, to) =>
      words(
        `/usr/bin/aws --endpoint-url ${at} s3 cp --recursive ${path} s3://peers/${to}/`,
      ),
    pipe: (at, command, to) => [
      'sh',
      '-c',
      `${command} | /usr/bin/aws --endpoint-url ${at} s3 cp - s3://peers/${to}`,
    ],
    quiet: ['--quiet'],
    dryRun: ['--dryrun'],
    completion: words('ls /usr/share/bash-completion/completions/aws'),
  },
  rclone: {
    file: (_, path, to) => [
      ...rclone,
      ...words(`--s3-chunk-size 5M --s3-upload-cutoff 5M copyto ${path}`),
      `dev:peers/${to}`,
    ],
    tree: (_, path, to) => [...rclone, 'copy', path, `dev:peers/${to}`],
    pipe: (_, command, to) => [
      'sh',
      '-c',
      `${command} | ${rclone.join(' ')} rcat dev:peers/${to}`,
    ],
    quiet: [],
    dryRun: ['--dry-run'],
    completion: words('/usr/bin/rclone genautocomplete bash -'),
  },
  s3cmd: {
    file: (_, path, to) => [
      ...s3cmd,
      ...words(`--multipart-chunk-size-mb=5 put ${path} s3://peers/${to}`),
    ],
    tree: (_, path, to) => [
      ...s3cmd,
      ...words(`put -r ${path}/ s3://peers/${to}/`),
    ],
    pipe: (_, command, to) => [
      'sh',
      '-c',
      `${command} | ${s3cmd.join(' ')} put - s3://peers/${to}`,
    ],
    quiet: ['--quiet'],
    dryRun: ['--dry-run'],
    completion: words('ls /usr/share/bash-completion/completions/s3cmd'),
    hasProxySettings: true,
  },
}
