/**
 * Whether the same call, made again, may succeed: nobody is asked to repeat what
 * cannot, and what is stored is kept for when it can.
 */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { exitCodeOf } from '../../lib/cli/exit-code.js'
import type { Fault } from '../../lib/dev-server/index.js'
import {
  memoryCheckpoint,
  StoreError,
  UploadError,
  type UploadStreamOptions,
} from '../../lib/index.js'
import { besideEachOther } from '../support/beside.js'
import { noise } from '../support/dev-store.js'
import { suspendAfter } from '../support/lost-answers.js'
import { closedPort } from '../support/raw-server.js'
import { smallStore, wrapStore } from '../support/small-store.js'
import {
  key,
  part,
  smallUploads,
  type SmallUploads,
} from '../support/small-upload.js'

const test = besideEachOther(t)
const bytes = noise(6 * part)
const retry = { attempts: 2, baseDelay: 1 }

interface Trouble {
  code: string
  /** What the text says of what to change. */
  says: RegExp
  options?: (
    dev: SmallUploads,
  ) => Promise<Partial<UploadStreamOptions>> | Partial<UploadStreamOptions>
  /** Of every part but the first three. */
  fault?: Fault
  /** Parts are stored by then. */
  isKept?: boolean
}

const wrongSecret = (dev: SmallUploads) => ({
  store: smallStore(
    dev.another({ credentials: { accessKeyId: 'dev', accessKeySecret: 'x' } }),
  ),
})

const forGood: Record<string, Trouble> = {
  'a wrong secret': {
    code: 'PAWL_ACCESS_DENIED',
    says: /SignatureDoesNotMatch/,
    options: wrongSecret,
  },
  'a wrong secret, with parts stored': {
    code: 'PAWL_ACCESS_DENIED',
    says: /SignatureDoesNotMatch/,
    options: async (dev) => {
      await suspendAfter(dev, bytes, 2)
      return wrongSecret(dev)
    },
    isKept: true,
  },
  'an object that is there': {
    code: 'PAWL_ALREADY_EXISTS',
    says: /forbidOverwrite/,
    options: async (dev) => {
      await dev.run(noise(9))
      return { object: { forbidOverwrite: true } }
    },
  },
  'a directory that is missing': {
    code: 'PAWL_CHECKPOINT_IO',
    says: /create it first/,
    options: (dev) => ({ checkpoint: join(dev.directory, 'none', 'log') }),
  },
  'a directory that is none': {
    code: 'PAWL_CHECKPOINT_IO',
    says: /ENOTDIR/,
    options: async (dev) => {
      await writeFile(join(dev.directory, 'file'), '')
      return { checkpoint: join(dev.directory, 'file', 'log') }
    },
  },
  'a bucket that is missing': {
    code: 'PAWL_NO_SUCH_BUCKET',
    says: /NoSuchBucket/,
    options: (dev) => ({ store: smallStore(dev.another({ bucket: 'none' })) }),
  },
  'nobody there': {
    code: 'PAWL_NETWORK',
    says: /ECONNREFUSED/,
    options: async (dev) => {
      const endpoint = `http://127.0.0.1:${await closedPort()}`
      return { store: smallStore(dev.another({ endpoint })) }
    },
  },
  'a limit of the store': {
    code: 'PAWL_SERVER',
    says: /InvalidArgument/,
    fault: { kind: 'status', status: 400, code: 'InvalidArgument' },
    isKept: true,
  },
  'a quota': {
    code: 'PAWL_SERVER',
    says: /QuotaExceeded/,
    fault: { kind: 'status', status: 503, code: 'QuotaExceeded' },
    isKept: true,
  },
  'no permission': {
    code: 'PAWL_ACCESS_DENIED',
    says: /AccessDenied/,
    fault: { kind: 'status', status: 403, code: 'AccessDenied' },
    isKept: true,
  },
  'a source that ends early': {
    code: 'PAWL_SIZE_MISMATCH',
    says: /expected 40960/,
    options: () => ({ size: 10 * part }),
    isKept: true,
  },
}

const forNow: Record<string, Trouble> = {
  '500': {
    code: 'PAWL_SERVER',
    says: /500/,
    fault: { kind: 'status', status: 500 },
    isKept: true,
  },
  '503': {
    code: 'PAWL_SERVER',
    says: /503/,
    fault: { kind: 'status', status: 503, code: 'ServiceUnavailable' },
    isKept: true,
  },
  'a reset': {
    code: 'PAWL_NETWORK',
    says: /part/,
    fault: { kind: 'refuse' },
    isKept: true,
  },
  'a log that is held': {
    code: 'PAWL_CHECKPOINT_LOCKED',
    says: /held by another/,
    options: async (dev) => {
      const other = dev.upload()
      other.on('error', () => undefined)
      other.write(bytes.subarray(0, 2 * part))
      await once(other, 'part')
      t.teardown(() => void other.destroy())
      return {}
    },
    isKept: true,
  },
}

test('an answer that is none is told by what this run has heard before', async (t) => {
  const dev = await smallUploads(t)
  await dev.run(noise(9))
  const portal: Fault = {
    kind: 'status',
    status: 200,
    body: '<html>Log in</html>',
  }
  // The network has become another one since the run before.
  dev.server.setFault(() => portal)
  t.match(await dev.fail(bytes, { retry }), {
    code: 'PAWL_RESPONSE',
    transient: false,
  })
  dev.server.setFault(({ partNumber = 0 }) =>
    partNumber > 3 ? portal : undefined,
  )
  t.match(await dev.fail(bytes, { retry }), {
    code: 'PAWL_RESPONSE',
    transient: true,
  })
})

test('who throttles says for how long', async (t) => {
  const dev = await smallUploads(t)
  const store = wrapStore(dev.small)
  store.createUpload = async () => {
    throw new StoreError('503', {
      kind: 'throttled',
      status: 503,
      retryAfter: 7,
    })
  }
  const error = await dev.fail(bytes, { store, retry })
  t.match(error, { code: 'PAWL_SERVER', transient: true, retryAfter: 7 })
  const checkpoint = Object.assign(memoryCheckpoint(), {
    open: async () => {
      throw new UploadError('PAWL_CHECKPOINT_LOCKED', 'held for a minute', {
        retryAfter: 60_000,
      })
    },
  })
  t.match(await dev.fail(bytes, { checkpoint }), {
    code: 'PAWL_CHECKPOINT_LOCKED',
    resumable: true,
    transient: true,
    retryAfter: 60_000,
  })
})

for (const [transient, troubles] of [
  [false, forGood],
  [true, forNow],
] as const) {
  for (const [name, trouble] of Object.entries(troubles)) {
    const { code, says, options, fault, isKept = false } = trouble
    test(`${name}: ${transient ? 'again' : 'not as it is'}`, async (t) => {
      const dev = await smallUploads(t)
      const given = (await options?.(dev)) ?? {}
      dev.server.setFault(({ partNumber = 0 }) =>
        partNumber > 3 ? fault : undefined,
      )
      const before = dev.seen('CompleteMultipartUpload').length
      const concurrency = 1
      const error = await dev.fail(bytes, { retry, concurrency, ...given })
      t.match(error, { code, resumable: isKept, transient })
      t.match(error.message, says)
      t.equal(exitCodeOf(error, 'file'), transient ? 3 : 1)
      t.equal(dev.seen('CompleteMultipartUpload').length, before)
      if (fault === undefined) return
      dev.server.setFault(undefined)
      const result = await dev.run(bytes)
      t.match(result, { resumed: true, partsReused: 3 }, 'once that is mended')
      t.ok(bytes.equals(await dev.object(key)))
    })
  }
}
