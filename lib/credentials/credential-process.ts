/**
 * A command that prints credentials: `credential_process` of AWS, `External` of
 * Alibaba Cloud. Its standard error goes where ours goes, so that it can say what
 * it wants; its standard input is not ours, which may be what is uploaded.
 */
import { UploadError } from '../errors.js'
import type { FoundKey } from './defaults.js'

/** ms that a person may take to answer what the command asks. */
const patience = 120_000

/** More than credentials take, in bytes. */
const mostBytes = 64 * 1024

/** Rejects with `PAWL_CREDENTIALS`; what the command printed is in no text. */
export async function askProcess(
  command: string,
  from: string,
): Promise<FoundKey> {
  const printed = await outputOf(command, from)
  let answer: unknown
  try {
    answer = JSON.parse(printed)
  } catch {
    return fail(from, 'printed something that is no JSON')
  }
  const key = keyIn(answer)
  if (key === undefined) {
    return fail(from, 'printed JSON without an access key and its secret')
  }
  return key
}

/** The spellings of both services. */
function keyIn(answer: unknown): FoundKey | undefined {
  const id = field(answer, 'AccessKeyId', 'access_key_id')
  const secret = field(
    answer,
    'SecretAccessKey',
    'AccessKeySecret',
    'access_key_secret',
  )
  if (id === undefined || secret === undefined) return undefined
  return {
    id,
    secret,
    token: field(answer, 'SessionToken', 'SecurityToken', 'sts_token'),
    expiration: field(answer, 'Expiration', 'expiration'),
  }
}

function field(
  value: unknown,
  ...names: readonly string[]
): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  for (const name of names) {
    const found: unknown = Reflect.get(value, name)
    if (typeof found === 'string' && found !== '') return found
  }
  return undefined
}

function outputOf(command: string, from: string): Promise<string> {
  return new Promise((resolve, reject) => {
    // Not by an import, which every process would pay for.
    const { spawn } = process.getBuiltinModule('node:child_process')
    const child = spawn(command, {
      shell: true,
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: patience,
    })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      text += more
      if (text.length > mostBytes) child.kill()
    })
    child.once('error', () => reject(failure(from, 'could not be started')))
    child.once('close', (code, signal) => {
      if (code === 0) resolve(text)
      else {
        const how =
          code === null ? `was ended by ${signal}` : `exited with ${code}`
        reject(failure(from, how))
      }
    })
  })
}

function failure(from: string, how: string): UploadError {
  return new UploadError('PAWL_CREDENTIALS', `No credentials: ${from} ${how}.`)
}

function fail(from: string, how: string): never {
  throw failure(from, how)
}
