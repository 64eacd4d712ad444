/** Where the command has its credentials from, servers for tokens included. */
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { besideEachOther } from '../support/beside.js'
import { cliDesk, type Desk } from '../support/cli-desk.js'
import { startScript } from '../support/cli-child.js'
import { compiledSources } from '../support/compiled.js'
import { temporaryDirectory } from '../support/dev-store.js'
import { homeWith } from '../support/home.js'
import { tokenServer } from '../support/token-server.js'

const test = besideEachOther(t)

const later = new Date(Date.now() + 3_600_000).toISOString()
const key = { AccessKeyId: 'dev', SecretAccessKey: 'dev-secret' }
const role = {
  AccessKeyId: 'temporary',
  SecretAccessKey: 'temporary-secret',
  Token: 'token',
  Expiration: later,
}

/** What says where the store is, and no credentials. */
function place(d: Desk): Record<string, string> {
  return {
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_S3: d.server.endpoint,
    OSS_ENDPOINT: d.server.endpoint,
    OSS_REGION: 'cn-hangzhou',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
}

const put = (scheme: string) => `pawl put db.dump ${scheme}://examplebucket/k`

async function uploads(
  t: Test,
  d: Desk,
  scheme: string,
  environment: Record<string, string>,
): Promise<void> {
  // Nothing but what the token server gives is taken.
  d.server.setCredentials({
    accessKeyId: 'temporary',
    accessKeySecret: 'temporary-secret',
    securityToken: 'token',
  })
  const env = { ...place(d), ...environment }
  const end = await d.script(put(scheme), env).ended
  t.match(
    end,
    { code: 0, out: `${scheme}://examplebucket/k (1.2 MiB` },
    end.log,
  )
  t.ok(d.bytes.equals(await d.object('k')))
}

test("an instance's role, from its metadata server", async (t) => {
  const d = await cliDesk(t)
  const metadata = await tokenServer(t, {
    'PUT /latest/api/token': 'session',
    'GET /latest/meta-data/iam/security-credentials/': 'role',
    'GET /latest/meta-data/iam/security-credentials/role': JSON.stringify({
      Code: 'Success',
      ...role,
    }),
  })
  await uploads(t, d, 's3', {
    HOME: await homeWith(t, {}),
    AWS_EC2_METADATA_DISABLED: 'false',
    AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.origin,
  })
  t.ok(metadata.asked.includes('PUT /latest/api/token'))
})

test("a container's role, from its credentials server", async (t) => {
  const d = await cliDesk(t)
  const server = await tokenServer(t, {
    'GET /role': JSON.stringify(role),
  })
  await uploads(t, d, 's3', {
    HOME: await homeWith(t, {}),
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.origin}/role`,
  })
  t.same(server.asked, ['GET /role'])
})

test('a web identity, exchanged for a role', async (t) => {
  const d = await cliDesk(t)
  const server = await tokenServer(t, {
    'POST /': `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>temporary</AccessKeyId><SecretAccessKey>temporary-secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>${later}</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/x/y</Arn><AssumedRoleId>A:y</AssumedRoleId></AssumedRoleUser></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
  })
  const home = await homeWith(t, { token: 'a.web.token' })
  await uploads(t, d, 's3', {
    HOME: home,
    AWS_WEB_IDENTITY_TOKEN_FILE: join(home, 'token'),
    AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/x',
    AWS_ENDPOINT_URL_STS: server.origin,
  })
  t.same(server.asked, ['POST /'])
})

test('a profile that signs in by SSO', async (t) => {
  const d = await cliDesk(t)
  const server = await tokenServer(t, {
    'GET /federation/credentials': JSON.stringify({
      roleCredentials: {
        accessKeyId: 'temporary',
        secretAccessKey: 'temporary-secret',
        sessionToken: 'token',
        expiration: Date.parse(later),
      },
    }),
  })
  const cached = createHash('sha1').update('corp').digest('hex')
  const home = await homeWith(t, {
    '.aws/config':
      '[profile work]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = x\n[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.example/start\n',
    [`.aws/sso/cache/${cached}.json`]: JSON.stringify({
      accessToken: 'access',
      expiresAt: later,
      region: 'us-east-1',
      startUrl: 'https://corp.example/start',
    }),
  })
  await uploads(t, d, 's3', {
    HOME: home,
    AWS_PROFILE: 'work',
    AWS_ENDPOINT_URL_SSO: server.origin,
  })
  t.same(server.asked, ['GET /federation/credentials'])
})

test('a server of credentials of Alibaba Cloud', async (t) => {
  const d = await cliDesk(t)
  const server = await tokenServer(t, {
    'GET /': JSON.stringify({
      Code: 'Success',
      AccessKeyId: 'temporary',
      AccessKeySecret: 'temporary-secret',
      SecurityToken: 'token',
      Expiration: later,
    }),
  })
  await uploads(t, d, 'oss', {
    HOME: await homeWith(t, {}),
    ALIBABA_CLOUD_CREDENTIALS_URI: `${server.origin}/`,
  })
  t.ok(server.asked.includes('GET /'))
})

test('profiles and commands, with the place that a profile names', async (t) => {
  const d = await cliDesk(t)
  const home = await homeWith(t, {
    '.aws/credentials':
      '[dev]\naws_access_key_id = dev\naws_secret_access_key = dev-secret\n',
    '.aws/config': `[profile dev]\nregion = eu-west-1\nendpoint_url = ${d.server.endpoint}\n`,
    '.ossutilconfig': `[default]\naccessKeyId=dev\naccessKeySecret=dev-secret\nendpoint=${d.server.endpoint}\nregion=cn-beijing\n`,
  })
  const rows: [line: string, env: Record<string, string>][] = [
    [put('s3'), { AWS_PROFILE: 'dev' }],
    [`${put('s3')} --profile dev`, {}],
    [put('oss'), {}],
    [
      `${put('s3')} --profile dev --credential-process 'echo "{\\"AccessKeyId\\":\\"dev\\",\\"SecretAccessKey\\":\\"dev-secret\\"}"'`,
      {},
    ],
  ]
  for (const [line, env] of rows) {
    const end = await d.script(line, { HOME: home, ...env }).ended
    t.match(end, { code: 0 }, `${line} ${end.log}`)
  }
})

test('a credential process is asked again before its answer expires', async (t) => {
  const d = await cliDesk(t)
  const soon = new Date(Date.now() + 60_000).toISOString()
  const answer = JSON.stringify({ Version: 1, ...key, Expiration: soon })
  await writeFile(join(d.directory, 'key.json'), answer)
  const end = await d.script(
    `pawl put --part-size 5M db.dump s3://examplebucket/k --credential-process 'echo x >> asked; cat key.json'`,
    place(d),
  ).ended
  t.match(end, { code: 0 }, end.log)
  const asked = readFileSync(join(d.directory, 'asked'), 'utf8')
  t.ok(asked.length >= 2, 'an answer that is about to expire is not kept')
})

test('what is seen and cannot be used is said, with the line to install', async (t) => {
  const d = await cliDesk(t)
  const bin = await withoutPeers(t)
  const home = await homeWith(t, {
    '.aws/config':
      '[profile work]\nsso_session = corp\n[profile boss]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = work\n',
  })
  const aws = /to use it: npm install @aws-sdk\/credential-provider-node/
  const rows: [scheme: string, env: Record<string, string>, log: RegExp[]][] = [
    [
      's3',
      { AWS_PROFILE: 'work' },
      [/profile work, which signs in by SSO/, aws],
    ],
    ['s3', { AWS_PROFILE: 'boss' }, [/profile boss, which takes a role/, aws]],
    [
      's3',
      { AWS_WEB_IDENTITY_TOKEN_FILE: '/t' },
      [/web identity \(AWS_WEB_IDENTITY_TOKEN_FILE\)/, aws],
    ],
    [
      's3',
      { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/t' },
      [/container's role/, aws],
    ],
    [
      'oss',
      { ALIBABA_CLOUD_OIDC_TOKEN_FILE: '/t' },
      [/a role by OIDC/, /to use it: npm install @alicloud\/credentials/],
    ],
    ['oss', {}, [/No credentials: set OSS_ACCESS_KEY_ID and/]],
    ['s3', {}, [/No credentials: set AWS_ACCESS_KEY_ID and/]],
  ]
  for (const [scheme, env, log] of rows) {
    const child = startScript(put(scheme), {
      cwd: d.directory,
      env: {
        ...place(d),
        HOME: home,
        PATH: `${bin}:${process.env['PATH']}`,
        ...env,
      },
    })
    const end = await child.ended
    t.equal(end.code, 1)
    for (const pattern of log) t.match(end.log, pattern)
  }
  t.same(d.server.requests, [])
})

/** The command, installed without the optional packages; a folder for PATH. */
async function withoutPeers(t: Test): Promise<string> {
  const directory = await temporaryDirectory(t)
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const manifest = join(root, 'package.json')
  cpSync(join(compiledSources(), 'lib'), join(directory, 'lib'), {
    recursive: true,
  })
  cpSync(manifest, join(directory, 'package.json'))
  const { dependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    dependencies: Record<string, string>
  }
  for (const name of Object.keys(dependencies)) {
    const to = join(directory, 'node_modules', name)
    mkdirSync(dirname(to), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), to)
  }
  mkdirSync(join(directory, 'bin'))
  symlinkSync(join(directory, 'lib/cli/main.js'), join(directory, 'bin/pawl'))
  return join(directory, 'bin')
}
