import { writeFile } from 'node:fs/promises'
import { join, parse } from 'node:path'
import t, { type Test } from 'tap'
import { defaultCredentials, ossStore, UploadError } from '../../lib/index.js'
import { findDefaults } from '../../lib/credentials/default-credentials.js'
import type {
  DefaultCredentialsOptions,
  Service,
} from '../../lib/credentials/defaults.js'
import { devStore } from '../support/dev-store.js'
import { homeDirectory } from '../../lib/credentials/home-directory.js'
import { homeWith } from '../support/home.js'

type Files = Record<string, string>
type Variables = Record<string, string>

interface Row {
  files?: Files
  environment?: Variables
  options?: Pick<DefaultCredentialsOptions, 'profile' | 'credentialProcess'>
  /** What the provider answers; a pattern for what it says. */
  gives: object | RegExp
  /** What else is found. */
  found?: { region?: string; endpoint?: string; ca?: string }
}

/** Metadata of an instance is asked for nowhere in these tests. */
const alone = { AWS_EC2_METADATA_DISABLED: 'true' }

async function check(
  t: Test,
  service: Service,
  rows: Record<string, Row>,
): Promise<void> {
  for (const [name, row] of Object.entries(rows)) {
    const { files = {}, environment = {}, options = {}, gives, found } = row
    const home = await homeWith(t, files)
    const where = {
      ...options,
      environment: { ...alone, PATH: process.env['PATH'], ...environment },
      home,
    }
    const answer = defaultCredentials(service, where)()
    if (gives instanceof RegExp) {
      const error = await answer.then(
        () => new Error('it resolved'),
        (thrown: unknown) => thrown,
      )
      t.match(error, { code: 'PAWL_CREDENTIALS', message: gives }, name)
      t.notMatch(String(error), /(?<!_)SECRET(?!_)/, name)
    } else t.same(await answer, gives, name)
    if (found !== undefined) {
      t.match(await findDefaults(service, where), found, name)
    }
  }
}

const awsFiles: Files = {
  '.aws/credentials': [
    '[default]',
    'aws_access_key_id = AKDEFAULT',
    'aws_secret_access_key = de/fau+lt=',
    '[temporary]',
    'aws_access_key_id = AKTEMP',
    'aws_secret_access_key = temp',
    'aws_session_token = token',
    '[caller]',
    'aws_access_key_id = AKCALLER',
    'aws_secret_access_key = SECRET',
    'role_arn = arn:aws:iam::1:role/x',
    'source_profile = default',
  ].join('\n'),
  '.aws/config': [
    '[default]',
    'region = eu-central-1',
    '[profile temporary]',
    'region = eu-west-3',
    'endpoint_url = https://all.example',
    'services = own',
    'ca_bundle = /ca.pem',
    '[services own]',
    's3 =',
    '  endpoint_url = https://s3.example',
    '[profile asked]',
    `credential_process = printf '{"Version":1,"AccessKeyId":"AKP","SecretAccessKey":"sec","SessionToken":"tok","Expiration":"2030-01-01T00:00:00Z"}'`,
    '[profile broken]',
    'credential_process = echo SECRET; exit 3',
    '[profile talker]',
    'credential_process = echo SECRET',
    '[profile sso]',
    'sso_session = corp',
    'sso_account_id = 1',
    'sso_role_name = x',
  ].join('\n'),
}
const fixed = { accessKeyId: 'AKDEFAULT', secretAccessKey: 'de/fau+lt=' }

await t.test('S3, in the order of the AWS tools', async (t) => {
  await check(t, 's3', {
    'the profile default': {
      files: awsFiles,
      gives: fixed,
      found: { region: 'eu-central-1' },
    },
    'the environment goes before it': {
      files: awsFiles,
      environment: {
        AWS_ACCESS_KEY_ID: 'A',
        AWS_SECRET_ACCESS_KEY: 'B',
        AWS_SESSION_TOKEN: 'C',
        AWS_PROFILE: 'temporary',
      },
      gives: { accessKeyId: 'A', secretAccessKey: 'B', sessionToken: 'C' },
      found: { region: 'eu-west-3' },
    },
    'a profile that is asked for goes before the environment': {
      files: awsFiles,
      environment: { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'B' },
      options: { profile: 'temporary' },
      gives: {
        accessKeyId: 'AKTEMP',
        secretAccessKey: 'temp',
        sessionToken: 'token',
      },
      found: {
        region: 'eu-west-3',
        endpoint: 'https://s3.example',
        ca: '/ca.pem',
      },
    },
    'AWS_PROFILE, and variables that go before its settings': {
      files: awsFiles,
      environment: {
        AWS_PROFILE: 'temporary',
        AWS_REGION: 'us-east-1',
        AWS_ENDPOINT_URL_S3: 'https://other.example',
        AWS_CA_BUNDLE: '/other.pem',
      },
      gives: {
        accessKeyId: 'AKTEMP',
        secretAccessKey: 'temp',
        sessionToken: 'token',
      },
      found: {
        region: 'us-east-1',
        endpoint: 'https://other.example',
        ca: '/other.pem',
      },
    },
    credential_process: {
      files: awsFiles,
      environment: { AWS_PROFILE: 'asked' },
      gives: {
        accessKeyId: 'AKP',
        secretAccessKey: 'sec',
        sessionToken: 'tok',
        expiration: '2030-01-01T00:00:00Z',
      },
    },
    'a process of the caller goes before all of it': {
      files: awsFiles,
      environment: { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'B' },
      options: {
        credentialProcess: `echo '{"AccessKeyId":"X","SecretAccessKey":"Y"}'`,
      },
      gives: { accessKeyId: 'X', secretAccessKey: 'Y' },
    },
    'a process that fails': {
      files: awsFiles,
      environment: { AWS_PROFILE: 'broken' },
      gives:
        /^No credentials: credential_process of the profile broken of ~\/\.aws\/config exited with 3\.$/,
    },
    'a process that prints no JSON': {
      files: awsFiles,
      environment: { AWS_PROFILE: 'talker' },
      gives: /printed something that is no JSON/,
    },
    'a process that is not there': {
      options: { credentialProcess: 'not-there-at-all 2> /dev/null' },
      gives: /the credential process exited with 127/,
    },
    'a profile that does not exist': {
      files: awsFiles,
      environment: { AWS_PROFILE: 'typo' },
      gives: /There is no profile "typo" in ~\/\.aws\/config/,
    },
    'files that are somewhere else': {
      files: { 'x/c': awsFiles['.aws/credentials'] ?? '' },
      environment: { AWS_SHARED_CREDENTIALS_FILE: join('none', 'c') },
      gives: /CredentialsProviderError/,
    },
  })
})

await t.test(
  'a key in a file is read again when it is asked again',
  async (t) => {
    const home = await homeWith(t, awsFiles)
    const ask = defaultCredentials('s3', { home, environment: alone })
    t.same(await ask(), fixed)
    await writeFile(
      join(home, '.aws/credentials'),
      '[default]\naws_access_key_id = NEW\naws_secret_access_key = new\n',
    )
    t.same(await ask(), { accessKeyId: 'NEW', secretAccessKey: 'new' })
  },
)

const ossutil1 =
  '[Credentials]\nlanguage=EN\nendpoint=oss-cn-hangzhou.aliyuncs.com\naccessKeyID=OU1\naccessKeySecret=sec1\n'
const aliyun = JSON.stringify({
  current: 'work',
  profiles: [
    {
      name: 'work',
      mode: 'StsToken',
      access_key_id: 'AL',
      access_key_secret: 'als',
      sts_token: 'alt',
      region_id: 'cn-shanghai',
    },
    {
      name: 'asked',
      mode: 'External',
      process_command: `echo '{"mode":"StsToken","access_key_id":"EX","access_key_secret":"exs","sts_token":"ext"}'`,
    },
    { name: 'role', mode: 'RamRoleArn', access_key_secret: 'SECRET' },
  ],
})

await t.test('OSS, from the files of its tools', async (t) => {
  await check(t, 'oss', {
    'ossutil 1': {
      files: { '.ossutilconfig': ossutil1 },
      gives: { accessKeyId: 'OU1', accessKeySecret: 'sec1' },
      found: { endpoint: 'oss-cn-hangzhou.aliyuncs.com' },
    },
    'ossutil 2': {
      files: {
        '.ossutilconfig':
          '[default]\naccessKeyId = OU2\naccessKeySecret = s=c+2\nsecurityToken = t\nregion = cn-beijing\n',
      },
      gives: {
        accessKeyId: 'OU2',
        accessKeySecret: 's=c+2',
        securityToken: 't',
      },
      found: { region: 'cn-beijing' },
    },
    'the current profile of aliyun': {
      files: { '.aliyun/config.json': aliyun },
      gives: {
        accessKeyId: 'AL',
        accessKeySecret: 'als',
        securityToken: 'alt',
      },
      found: { region: 'cn-shanghai' },
    },
    'a profile of aliyun by a command': {
      files: { '.aliyun/config.json': aliyun, '.ossutilconfig': ossutil1 },
      options: { profile: 'asked' },
      gives: {
        accessKeyId: 'EX',
        accessKeySecret: 'exs',
        securityToken: 'ext',
      },
    },
    'the variables of OSS, before those of Alibaba Cloud': {
      files: { '.ossutilconfig': ossutil1 },
      environment: {
        OSS_ACCESS_KEY_ID: 'O',
        OSS_ACCESS_KEY_SECRET: 'P',
        ALIBABA_CLOUD_ACCESS_KEY_ID: 'Q',
        ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'R',
      },
      gives: { accessKeyId: 'O', accessKeySecret: 'P' },
      found: { endpoint: 'oss-cn-hangzhou.aliyuncs.com' },
    },
    'the variables of Alibaba Cloud': {
      environment: {
        ALIBABA_CLOUD_ACCESS_KEY_ID: 'Q',
        ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'R',
        ALIBABA_CLOUD_SECURITY_TOKEN: 'S',
        ALIBABA_CLOUD_REGION_ID: 'cn-beijing',
      },
      gives: { accessKeyId: 'Q', accessKeySecret: 'R', securityToken: 'S' },
      found: { region: 'cn-beijing' },
    },
    'a profile that does not exist': {
      files: { '.aliyun/config.json': aliyun },
      options: { profile: 'typo' },
      gives: /There is no profile "typo" in ~\/\.ossutilconfig/,
    },
    'a profile whose role only the package can take': {
      files: { '.aliyun/config.json': aliyun },
      options: { profile: 'role' },
      gives:
        /the profile role of .*config\.json, whose mode is RamRoleArn is there; to use it: npm install @alicloud\/credentials/,
    },
    'a file that is no JSON': {
      files: { '.aliyun/config.json': '{SECRET' },
      gives: /config\.json is not the JSON that it should be/,
    },
  })
})

await t.test('a store takes them, and says why it has none', async (t) => {
  const dev = await devStore(t)
  const home = await homeWith(t, {
    '.ossutilconfig':
      '[default]\naccessKeyId = dev\naccessKeySecret = dev-secret\n',
  })
  const store = ossStore({
    endpoint: dev.server.endpoint,
    region: 'cn-hangzhou',
    bucket: 'examplebucket',
    credentials: defaultCredentials('oss', { home, environment: {} }),
  })
  t.teardown(() => store.close())
  const call = {
    signal: new AbortController().signal,
    timeouts: { connect: 60_000, stall: 60_000, headers: 60_000 },
  }
  t.equal(await store.headObject('none', call), undefined)
  const bare = ossStore({
    endpoint: dev.server.endpoint,
    region: 'cn-hangzhou',
    bucket: 'examplebucket',
    credentials: async () => {
      throw new UploadError('PAWL_CREDENTIALS', 'No credentials: ask Ann.')
    },
  })
  t.teardown(() => bare.close())
  await t.rejects(bare.headObject('none', call), {
    code: 'PAWL_CREDENTIALS',
    message: 'No credentials: ask Ann.',
  })
})

await t.test('a user whom the system does not know has the root', async (t) => {
  const unknown = (): string => {
    throw new Error('uv_os_homedir returned ENOENT')
  }
  t.equal(homeDirectory('/home/me', unknown), '/home/me')
  t.equal(
    homeDirectory(undefined, () => '/root'),
    '/root',
  )
  const root = parse(process.cwd()).root
  t.equal(homeDirectory(undefined, unknown), root)
  t.equal(
    homeDirectory('', () => ''),
    root,
  )
})
